//! The JSON that a plugin server gets when an instance is started.

use polygate_model::entities::DEFAULT_WORKSPACE;
use polygate_model::{Plugin, Reference};
use serde_json::{Map, Number, Value as Json};

/// The configuration of one plugin entity as JSON text, without its sequence number.
///
/// Members that are null are left out at every level, because plugins ask whether a member is there.
/// Numbers without a fraction print as integers, because Go decodes them into integer fields.
pub(crate) fn text(plugin: &Plugin) -> String {
    let mut members = Map::new();
    members.insert("__key__".into(), Json::String(key(plugin)));
    members.insert("__plugin_id".into(), Json::String(plugin.id.to_string()));
    members.insert("__ws_id".into(), Json::String(DEFAULT_WORKSPACE.to_string()));
    let scopes =
        [("route_id", plugin.route), ("service_id", plugin.service), ("consumer_id", plugin.consumer)];
    for (name, scope) in scopes {
        if let Some(Reference { id }) = scope {
            members.insert(name.into(), Json::String(id.to_string()));
        }
    }
    if let Some(name) = &plugin.instance_name {
        members.insert("plugin_instance_name".into(), Json::String(name.clone()));
    }
    members.extend(object(&plugin.config));
    Json::Object(members).to_string()
}

/// Puts the sequence number in front of the other members of `text`.
pub(crate) fn with_sequence(text: &str, sequence: i32) -> String {
    format!("{{\"__seq__\":{sequence},{}", &text[1..])
}

/// `plugins:<name>:<route>:<service>:<consumer>::<workspace>`, empty where there is none.
fn key(plugin: &Plugin) -> String {
    let part = |scope: Option<Reference>| scope.map_or_else(String::new, |it| it.id.to_string());
    let (route, service, consumer) = (part(plugin.route), part(plugin.service), part(plugin.consumer));
    format!("plugins:{}:{route}:{service}:{consumer}::{DEFAULT_WORKSPACE}", plugin.name)
}

fn object(members: &Map<String, Json>) -> Map<String, Json> {
    let present = members.iter().filter(|(_, value)| !value.is_null());
    present.map(|(name, value)| (name.clone(), normal(value))).collect()
}

fn normal(value: &Json) -> Json {
    match value {
        Json::Number(number) => Json::Number(integral(number).unwrap_or_else(|| number.clone())),
        Json::Array(items) => items.iter().map(normal).collect(),
        Json::Object(members) => Json::Object(object(members)),
        other => other.clone(),
    }
}

fn integral(number: &Number) -> Option<Number> {
    let float = number.is_f64().then(|| number.as_f64())??;
    (float.fract() == 0.0 && float.abs() < 9.0e18).then(|| Number::from(float as i64))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// An entity with the given configuration and a fixed id.
    pub(crate) fn plugin(name: &str, config: Json) -> Plugin {
        let Json::Object(config) = config else { panic!("a configuration is an object") };
        Plugin {
            id: "a0b1c2d3-0000-4000-8000-000000000001".parse().expect("a UUID"),
            created_at: 0,
            updated_at: 0,
            name: name.into(),
            instance_name: None,
            config,
            route: None,
            service: None,
            consumer: None,
            protocols: vec![],
            enabled: true,
            on_error: None,
            tags: None,
        }
    }

    #[test]
    fn a_global_configuration() {
        let plugin = plugin("hello", json!({"message": "hi", "absent": null}));
        let expected = r#"{"__seq__":7,"__key__":"plugins:hello:::::0dc6f45b-8f8d-40d2-a504-473544ee190b","__plugin_id":"a0b1c2d3-0000-4000-8000-000000000001","__ws_id":"0dc6f45b-8f8d-40d2-a504-473544ee190b","message":"hi"}"#;
        assert_eq!(with_sequence(&text(&plugin), 7), expected);
    }

    #[test]
    fn scopes_and_the_name_are_told() {
        let id = "a0b1c2d3-0000-4000-8000-00000000000f";
        let mut plugin = plugin("hello", json!({}));
        plugin.route = Some(Reference { id: id.parse().expect("a UUID") });
        plugin.instance_name = Some("mine".into());
        let json: Json = serde_json::from_str(&with_sequence(&text(&plugin), 1)).expect("is JSON");
        assert_eq!(json["__key__"], format!("plugins:hello:{id}::::{DEFAULT_WORKSPACE}"));
        assert_eq!(json["route_id"], id);
        assert_eq!(json["plugin_instance_name"], "mine");
        assert_eq!(json.get("service_id"), None);
    }

    #[test]
    fn nulls_go_and_integers_stay_integers_at_every_level() {
        let plugin = plugin(
            "hello",
            json!({"nested": {"gone": null, "list": [], "map": {}}, "n": 5.0, "big": 1e14, "half": 0.5, "items": [{"x": null, "y": 2.0}]}),
        );
        let text = text(&plugin);
        let tail =
            r#""nested":{"list":[],"map":{}},"n":5,"big":100000000000000,"half":0.5,"items":[{"y":2}]}"#;
        assert!(text.ends_with(tail), "{text}");
    }
}
