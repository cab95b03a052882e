//! Credentials in a declarative file.

use polygate_testkit::{EchoUpstream, Gateway, Request};

/// As people write them: nested, flat by name, and as an export has them.
const CREDENTIALS: &str = "
consumers:
- username: anon
  keyauth_credentials: [{key: 'hush-anon'}]
  jwt_secrets: [{key: issuer, secret: 'hush-jwt'}]
- username: service
  id: 59d1ef15-24a5-4373-b957-e8192c15ff6e
- username: dashboard
acls:
- {consumer: anon, group: anon}
- {consumer: service, group: admin}
basicauth_credentials:
- {consumer: dashboard, username: admin, password: 'hush-password'}
hmacauth_credentials:
- {consumer: dashboard, username: admin, secret: 'hush-hmac'}
keyauth_credentials:
- {consumer: 59d1ef15-24a5-4373-b957-e8192c15ff6e, key: 'hush-service', created_at: 1734329245, tags: ~, ttl: ~}
";

fn file(upstream: &str, more: &str) -> String {
    format!(
        "_format_version: '2.1'\nservices: [{{name: s, url: '{upstream}', routes: [{{paths: [/]}}]}}]\n{more}"
    )
}

/// D7: the gateway did not start.
#[test]
fn d7_credentials_are_accepted() {
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder().declarative(&file(&upstream.url(), CREDENTIALS)).start();
    Request::get("/").send(gateway.proxy()).expect(200);
    let log = gateway.error_log();
    assert!(!log.contains("credentials") && !log.contains("hush"), "{log}");
}

/// A file that is refused names the place, not the secret.
#[test]
fn secrets_of_credentials_are_not_shown() {
    let repeated = CREDENTIALS.replace("hush-service", "hush-anon");
    let refused = Gateway::builder().declarative(&file("http://127.0.0.1:9", &repeated)).start_refused();
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("'keyauth_credentials' entity with key set to '***' already declared"), "{told}");
    assert!(!told.contains("hush"), "{told}");
}
