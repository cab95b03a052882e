//! Headers of every format, right, wrong and hostile.

use polygate_http1::Headers;
use serde_json::json;

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SHORT: &str = "463ac35c9f6413ad";
const SPAN: &str = "b7ad6b7169203331";
const PARENT: &str = "05e3ac9a4f6e3b90";

const FORMATS: [Format; 8] = [
    Format::W3c,
    Format::B3,
    Format::B3Single,
    Format::Jaeger,
    Format::Ot,
    Format::Datadog,
    Format::Aws,
    Format::Gcp,
];

fn headers(lines: &[(&str, &str)]) -> Headers {
    lines.iter().copied().collect()
}

fn extract(format: Format, lines: &[(&str, &str)]) -> Option<Extracted> {
    format.extract(&headers(lines))
}

/// Trace, span, parent and decision, in short.
fn shown(found: &Extracted) -> String {
    let span = |id: Option<u64>| id.map_or("-".to_owned(), |id| format!("{id:x}"));
    let trace = found.trace_id.map_or("-".to_owned(), |id| id.digits(&[16, 8]).to_string());
    let sampled = found.sampled.map_or("-", |sampled| if sampled { "yes" } else { "no" });
    format!("{trace} {} {} {sampled}", span(found.span_id), span(found.parent_id))
}

fn outgoing() -> Outgoing {
    Outgoing {
        trace_id: TraceId::given(u128::from_str_radix(TRACE, 16).unwrap(), 16),
        span_id: u64::from_str_radix(SPAN, 16).unwrap(),
        parent_id: Some(u64::from_str_radix(PARENT, 16).unwrap()),
        sampled: Some(true),
        baggage: vec![("k".to_owned(), "a b".into())],
        flags: None,
    }
}

#[test]
fn what_is_written_can_be_read() {
    for format in FORMATS {
        for sampled in [true, false] {
            let mut sent = Headers::new();
            format.inject(&Outgoing { sampled: Some(sampled), ..outgoing() }, &mut sent);
            let found = format.extract(&sent).expect("it has a trace");
            assert_eq!(found.sampled, Some(sampled), "{format:?}");
            assert_eq!(found.span_id, Some(outgoing().span_id), "{format:?}");
            let id = found.trace_id.unwrap().number;
            let whole = outgoing().trace_id.number;
            let expected = if format == Format::Datadog { u128::from(whole as u64) } else { whole };
            assert_eq!(id, expected, "{format:?}");
        }
    }
}

#[test]
fn one_header_formats() {
    let w3c = |line: &str| extract(Format::W3c, &[("traceparent", line)]);
    let jaeger = |line: &str| extract(Format::Jaeger, &[("uber-trace-id", line)]);
    let aws = |line: &str| extract(Format::Aws, &[("x-amzn-trace-id", line)]);
    let gcp = |line: &str| extract(Format::Gcp, &[("x-cloud-trace-context", line)]);
    let b3 = |line: &str| extract(Format::B3, &[("b3", line)]);
    for (found, expected) in [
        (w3c(&format!("00-{TRACE}-{SPAN}-01")), format!("{TRACE} {SPAN} - yes")),
        (w3c(&format!("00-{}-{SPAN}-02", TRACE.to_uppercase())), format!("{TRACE} {SPAN} - no")),
        (jaeger(&format!("{TRACE}:{SPAN}:{PARENT}:1")), format!("{TRACE} {SPAN} 5e3ac9a4f6e3b90 yes")),
        (jaeger("a:b:0:0"), format!("{:032x} b - no", 10)),
        (jaeger(&format!("{SHORT}:b:0:3")), format!("{SHORT} b - yes")),
        (
            aws(&format!("Root=1-0af76519-16cd43dd8448eb211c80319c;Parent={SPAN};Sampled=1")),
            format!("{TRACE} {SPAN} - yes"),
        ),
        (aws(" Sampled = 0 ; Self=x; Root=1-0af76519-16cd43dd8448eb211c80319c"), format!("{TRACE} - - no")),
        (aws("Lineage"), "- - - -".to_owned()),
        (gcp(&format!("{TRACE}/1;o=1")), format!("{TRACE} 1 - yes")),
        (gcp(&format!("{TRACE}/18446744073709551615")), format!("{TRACE} ffffffffffffffff - no")),
        (b3(&format!("{TRACE}-{SPAN}-1-{PARENT}")), format!("{TRACE} {SPAN} 5e3ac9a4f6e3b90 yes")),
        (b3(&format!("{SHORT}-{SPAN}-0")), format!("{SHORT} {SPAN} - no")),
        (b3(&format!("{TRACE}-{SPAN}")), format!("{TRACE} {SPAN} - -")),
        (b3(&format!("{TRACE}-{SPAN}-{PARENT}")), format!("{TRACE} {SPAN} 5e3ac9a4f6e3b90 -")),
        (b3(&format!("{TRACE}-{SPAN}-d")), format!("{TRACE} {SPAN} - yes")),
        (b3("0"), "- - - no".to_owned()),
        (b3("d"), "- - - yes".to_owned()),
    ] {
        assert_eq!(shown(&found.expect("it is one")), expected);
    }
}

#[test]
fn what_is_wrong_is_nobody() {
    let long = "f".repeat(100_000);
    let hostile = [
        "",
        "-",
        "--",
        "---",
        "----",
        ":::",
        "::::",
        ";",
        ";;=",
        "=",
        "/",
        "/;o=",
        "00-",
        "\u{e9}",
        "+1",
        &long,
        &"-".repeat(10_000),
        &":".repeat(10_000),
        &";".repeat(10_000),
        &"=".repeat(10_000),
    ];
    let near = [
        ("traceparent", format!("01-{TRACE}-{SPAN}-01")),
        ("traceparent", format!("ff-{TRACE}-{SPAN}-01")),
        ("traceparent", format!("00-{TRACE}-{SPAN}-01-")),
        ("traceparent", format!("00-{TRACE}-{SPAN}-1")),
        ("traceparent", format!("00-+{}-{SPAN}-01", &TRACE[1..])),
        ("traceparent", format!("00-{}-{SPAN}-01", "0".repeat(32))),
        ("traceparent", format!("00-{TRACE}-{}-01", "0".repeat(16))),
        ("uber-trace-id", format!("{TRACE}0:{SPAN}:0:1")),
        ("uber-trace-id", format!("0:{SPAN}:0:1")),
        ("uber-trace-id", format!("{TRACE}:0:0:1")),
        ("uber-trace-id", format!("{TRACE}:{SPAN}0:0:1")),
        ("uber-trace-id", format!("{TRACE}:{SPAN}:0:111")),
        ("uber-trace-id", format!("{TRACE}:{SPAN}:x:1")),
        ("uber-trace-id", format!("{TRACE}:{SPAN}:0:1:1")),
        ("x-amzn-trace-id", "Root=2-0af76519-16cd43dd8448eb211c80319c".to_owned()),
        ("x-amzn-trace-id", "Root=1-0af7651-916cd43dd8448eb211c80319c".to_owned()),
        ("x-amzn-trace-id", "Root=1-0af76519-16cd43dd8448eb211c80319".to_owned()),
        ("x-amzn-trace-id", format!("Parent={SPAN}0")),
        ("x-amzn-trace-id", "Sampled=2".to_owned()),
        ("x-amzn-trace-id", "Root".to_owned()),
        ("x-cloud-trace-context", format!("{}/1;o=1", TRACE.to_uppercase())),
        ("x-cloud-trace-context", format!("{TRACE}/123456789012345678901")),
        ("x-cloud-trace-context", format!("{TRACE}/1;o=11")),
        ("x-cloud-trace-context", format!("{TRACE}/1;o=x")),
        ("x-cloud-trace-context", TRACE.to_owned()),
    ];
    for format in [Format::W3c, Format::Jaeger, Format::Aws, Format::Gcp] {
        for (name, line) in &near {
            assert_eq!(extract(format, &[(name, line)]), None, "{name}: {line}");
        }
        for line in hostile {
            let all = ["traceparent", "uber-trace-id", "x-amzn-trace-id", "x-cloud-trace-context"];
            let lines: Vec<_> = all.iter().map(|name| (*name, line)).collect();
            let found = extract(format, &lines);
            assert!(found.is_none_or(|found| found == Extracted::default()), "{format:?} of {line}");
        }
    }
    for format in [Format::B3, Format::Ot, Format::Datadog] {
        for line in hostile {
            let all = [
                "b3",
                "tracestate",
                "x-b3-traceid",
                "x-b3-spanid",
                "x-b3-parentspanid",
                "x-b3-sampled",
                "ot-tracer-traceid",
                "ot-tracer-spanid",
                "ot-tracer-sampled",
                "x-datadog-trace-id",
                "x-datadog-parent-id",
                "x-datadog-sampling-priority",
            ];
            let lines: Vec<_> = all.iter().map(|name| (*name, line)).collect();
            let found = extract(format, &lines).map(|found| shown(&found));
            assert!(found.is_none_or(|found| found == "- - - -"), "{format:?} of {line}");
        }
    }
}

#[test]
fn lines_that_come_twice_are_none() {
    for (name, line) in [
        ("traceparent", format!("00-{TRACE}-{SPAN}-01")),
        ("uber-trace-id", format!("{TRACE}:{SPAN}:0:1")),
        ("x-amzn-trace-id", format!("Parent={SPAN}")),
        ("x-cloud-trace-context", format!("{TRACE}/1")),
    ] {
        let twice = headers(&[(name, &line), (name, &line)]);
        let found = FORMATS.iter().find_map(|format| format.extract(&twice));
        assert_eq!(found, None, "{name}");
    }
    let twice = [("x-b3-traceid", TRACE), ("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)];
    assert_eq!(shown(&extract(Format::B3, &twice).unwrap()), "- - - -");
}

#[test]
fn b3_in_several_headers() {
    let ids = [("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-parentspanid", PARENT)];
    for (more, expected) in [
        (&[][..], format!("{TRACE} {SPAN} 5e3ac9a4f6e3b90 -")),
        (&[("x-b3-sampled", "true")], format!("{TRACE} {SPAN} 5e3ac9a4f6e3b90 yes")),
        (&[("x-b3-sampled", "0"), ("x-b3-flags", "1")], format!("{TRACE} {SPAN} 5e3ac9a4f6e3b90 yes")),
        (&[("x-b3-sampled", "x")], format!("{TRACE} {SPAN} 5e3ac9a4f6e3b90 -")),
        (&[("b3", "0")], format!("{TRACE} {SPAN} 5e3ac9a4f6e3b90 no")),
        (&[("tracestate", "b3=1")], format!("{TRACE} {SPAN} 5e3ac9a4f6e3b90 yes")),
    ] {
        assert_eq!(shown(&extract(Format::B3, &[&ids, more].concat()).unwrap()), expected, "{more:?}");
    }
    for wrong in [("x-b3-spanid", "x"), ("x-b3-parentspanid", "1"), ("x-b3-traceid", "0g")] {
        let mut lines = ids.to_vec();
        lines.retain(|line| line.0 != wrong.0);
        lines.push(wrong);
        assert_eq!(shown(&extract(Format::B3, &lines).unwrap()), "- - - -", "{wrong:?}");
    }
    assert_eq!(extract(Format::B3, &[]), None);
    assert_eq!(shown(&extract(Format::B3, &[("tracestate", "a=1")]).unwrap()), "- - - -");
}

#[test]
fn datadogs_numbers() {
    let trace = |id: &str, priority: &str| {
        let lines = [
            ("x-datadog-trace-id", id),
            ("x-datadog-parent-id", "7"),
            ("x-datadog-sampling-priority", priority),
        ];
        extract(Format::Datadog, &lines)
    };
    assert_eq!(shown(&trace("9532127138774266268", "2").unwrap()), "8448eb211c80319c 7 - yes");
    assert_eq!(shown(&trace(" 1 ", "-1").unwrap()), format!("{:032x} 7 - no", 1));
    assert_eq!(shown(&trace("x", "0").unwrap()), "- - - no");
    assert_eq!(trace("1", "3"), None);
    assert!(trace(&"9".repeat(10_000), "1").unwrap().trace_id.is_some());
}

#[test]
fn ids_keep_their_size_where_a_format_knows_it() {
    let written = |format: Format, id: TraceId| {
        let mut sent = Headers::new();
        format.inject(&Outgoing { trace_id: id, ..outgoing() }, &mut sent)
    };
    let (short, new) = (TraceId::from_hex(SHORT, 8).unwrap(), TraceId::random(16));
    let padded = format!("{}{SHORT}", "0".repeat(16));
    for (format, expected) in [
        (Format::W3c, &*padded),
        (Format::B3, SHORT),
        (Format::B3Single, SHORT),
        (Format::Jaeger, SHORT),
        (Format::Ot, SHORT),
        (Format::Aws, &padded),
        (Format::Gcp, &padded),
    ] {
        assert_eq!(written(format, short), expected, "{format:?}");
        assert_eq!(written(format, new).len(), if format == Format::Ot { 16 } else { 32 }, "{format:?}");
    }
    assert_eq!(written(Format::B3, TraceId::random(8)).len(), 32);
    assert_eq!(written(Format::Ot, outgoing().trace_id), TRACE);
}

#[test]
fn baggage_goes_from_format_to_format() {
    let lines = [("uber-trace-id", "a:b:0:1"), ("Uberctx-User-Id", "a%20b%2")];
    let found = extract(Format::Jaeger, &lines).unwrap();
    let mut sent = Headers::new();
    Format::Ot.inject(&Outgoing { baggage: found.baggage, ..outgoing() }, &mut sent);
    assert_eq!(sent.text("ot-baggage-user-id"), Some("a%20b%252"));
}

fn propagation(config: serde_json::Value) -> Propagation {
    serde_json::from_value::<Options>(config).unwrap().into()
}

/// The names of the headers that the upstream gets.
fn sent(config: serde_json::Value, lines: &[(&str, &str)]) -> Vec<String> {
    let propagation = propagation(config);
    let mut headers = headers(lines);
    let (_, format) = propagation.extract(&headers);
    propagation.inject(&outgoing(), format, &mut headers);
    let names: Vec<_> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.into_iter().filter(|name| !name.starts_with("x-b3-") || name == "x-b3-traceid").collect()
}

#[test]
fn which_formats_are_read_and_written() {
    let line = format!("00-{TRACE}-{SPAN}-01");
    let w3c = &[("traceparent", &*line)][..];
    let default = |more: serde_json::Value| {
        let mut config = json!({ "propagation": { "default_format": "w3c" }, "header_type": "preserve" });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let given = |members: serde_json::Value| default(json!({ "propagation": members }));
    for (config, lines, expected) in [
        (default(json!({})), w3c, &["traceparent"][..]),
        (default(json!({})), &[("b3", "0")], &["b3"]),
        (default(json!({})), &[("tracestate", "a=1")], &["tracestate", "x-b3-traceid"]),
        (default(json!({ "default_header_type": "aws" })), &[], &["x-amzn-trace-id"]),
        (default(json!({ "header_type": "ignore" })), &[("b3", "0")], &["b3", "traceparent"]),
        (default(json!({ "header_type": "gcp" })), w3c, &["traceparent", "x-cloud-trace-context"]),
        (default(json!({ "header_type": null })), &[], &[]),
        (given(json!({ "default_format": "b3", "clear": ["Traceparent"] })), w3c, &[]),
        (given(json!({ "default_format": "b3", "extract": ["w3c"] })), w3c, &["traceparent"]),
        (
            given(json!({ "default_format": "b3", "inject": ["preserve"] })),
            w3c,
            &["traceparent", "x-b3-traceid"],
        ),
        (
            given(
                json!({ "default_format": "b3", "extract": ["jaeger", "w3c"], "inject": ["preserve", "b3-single"] }),
            ),
            w3c,
            &["traceparent", "b3"],
        ),
    ] {
        assert_eq!(sent(config.clone(), lines), expected, "{config}");
    }
}

#[test]
fn the_first_format_of_the_list_wins() {
    let line = format!("00-{TRACE}-{SPAN}-01");
    let both = headers(&[("traceparent", &line), ("b3", &format!("{SHORT}-{SPAN}"))]);
    for (extract, format) in [(["w3c", "b3"], Format::W3c), (["b3", "w3c"], Format::B3Single)] {
        let propagation = propagation(json!({ "propagation": { "extract": extract } }));
        assert_eq!(propagation.extract(&both).1, Some(format));
    }
}
