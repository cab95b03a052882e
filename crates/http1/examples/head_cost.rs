//! CPU nanoseconds and allocations per head of 20 header lines: read, looked at, changed, written.
//!
//! `cargo run --release -p polygate-http1 --example head_cost`

#![expect(unsafe_code, reason = "an allocator that counts cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use polygate_http1::{Decoder, Framing, Headers, Limits, RequestHead, RequestParser, ResponseParser, write};

const ROUNDS: u64 = 200_000;

const REQUEST: &[u8] = b"GET /api/v1/users/4711/orders?limit=50&after=2026-01-01 HTTP/1.1\r
Host: api.example.com\r
Connection: keep-alive\r
Cache-Control: max-age=0\r
sec-ch-ua: \"Chromium\";v=\"126\", \"Not.A/Brand\";v=\"24\"\r
sec-ch-ua-mobile: ?0\r
sec-ch-ua-platform: \"Linux\"\r
Upgrade-Insecure-Requests: 1\r
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r
Sec-Fetch-Site: none\r
Sec-Fetch-Mode: navigate\r
Sec-Fetch-User: ?1\r
Sec-Fetch-Dest: document\r
Accept-Encoding: gzip, deflate, br, zstd\r
Accept-Language: en-US,en;q=0.9,de;q=0.8\r
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes\r
If-None-Match: \"5d8c72a5edda8\"\r
X-Requested-With: XMLHttpRequest\r
Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N\r
DNT: 1\r
\r
";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r
Date: Thu, 26 Nov 2026 00:00:00 GMT\r
Content-Type: application/json; charset=utf-8\r
Content-Length: 5120\r
Connection: keep-alive\r
Cache-Control: private, max-age=0, no-cache\r
ETag: W/\"1400-0123456789abcdef\"\r
Vary: Accept-Encoding, Origin\r
Set-Cookie: session=0123456789abcdef; Path=/; HttpOnly; Secure; SameSite=Lax\r
X-Content-Type-Options: nosniff\r
X-Frame-Options: DENY\r
Strict-Transport-Security: max-age=31536000; includeSubDomains\r
Server: example/1.0\r
\r
";

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    println!("{:<36} {:>8} {:>12}", "", "ns", "allocations");
    measure("read a request head", || drop(black_box(read_request())));
    let mut out = Vec::with_capacity(4096);
    let head = read_request();
    measure("look up 12 names", || {
        black_box(look_up(&head.headers));
    });
    measure("write a request head", || write_request(&mut out, &head));
    measure("read, look up, change, write", || {
        let mut head = read_request();
        black_box(look_up(&head.headers));
        change(&mut head.headers);
        write_request(&mut out, &head);
    });
    measure("read a response head", || {
        drop(black_box(ResponseParser::new(Limits::default()).parse(black_box(RESPONSE))));
    });
    let mut body = Vec::new();
    for _ in 0..16 {
        write::chunk_start(&mut body, 4096);
        body.extend_from_slice(&[b'x'; 4096]);
        body.extend_from_slice(write::CHUNK_END);
    }
    body.extend_from_slice(write::LAST_CHUNK);
    measure("read 16 chunks of 4 KiB", || read_chunks(black_box(&body)));
}

fn read_request() -> RequestHead {
    let read = RequestParser::new(Limits::default()).parse(black_box(REQUEST));
    read.expect("it is valid").expect("it is complete")
}

/// As many as a request is asked for on its way; half of them are not there.
fn look_up(headers: &Headers) -> usize {
    let names = [
        "host",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-real-ip",
        "user-agent",
        "te",
        "authorization",
        "upgrade",
        "cookie",
        "keep-alive",
        "accept",
        "x-request-id",
    ];
    names.iter().filter_map(|name| headers.get(name)).map(<[u8]>::len).sum()
}

/// What a gateway adds and takes away.
fn change(headers: &mut Headers) {
    headers.remove("connection");
    headers.insert("Host", "10.0.0.1:8080");
    for name in ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Via"] {
        headers.insert(name, "127.0.0.1");
    }
}

fn write_request(out: &mut Vec<u8>, head: &RequestHead) {
    out.clear();
    write::request_line(out, &head.method, &head.target);
    head.headers.write_to(out);
    out.extend_from_slice(b"\r\n");
    black_box(&out);
}

fn read_chunks(body: &[u8]) {
    let (mut decoder, mut taken) = (Decoder::new(Framing::Chunked), 0);
    while !decoder.is_done() {
        let progress = decoder.advance(&body[taken..]).expect("it is valid");
        taken += progress.skip + progress.content;
    }
}

fn measure(what: &str, mut step: impl FnMut()) {
    (0..ROUNDS / 10).for_each(|_| step());
    let (start, before) = (cpu_nanoseconds(), ALLOCATIONS.load(Ordering::Relaxed));
    (0..ROUNDS).for_each(|_| step());
    let (end, after) = (cpu_nanoseconds(), ALLOCATIONS.load(Ordering::Relaxed));
    println!("{what:<36} {:>8} {:>12.1}", (end - start) / ROUNDS, (after - before) as f64 / ROUNDS as f64);
}

fn cpu_nanoseconds() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this benchmark needs Linux");
    stat.split(' ').next().and_then(|field| field.parse().ok()).expect("schedstat begins with a number")
}
