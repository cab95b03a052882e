//! The certificate of a client, of which nothing is verified but that the client has the key.

use polygate_chain::client_certificate::variable_of;

/// A certificate in DER.
pub fn client_certificate(data: &[u8]) {
    let names = ["s_dn", "i_dn", "serial", "fingerprint"];
    let values = names.map(|name| variable_of(data, &format!("ssl_client_{name}")));
    let known = values.iter().flatten().count();
    assert!(known == 0 || known == names.len(), "all of it or nothing: {values:?}");
    let [subject, issuer, serial, fingerprint] = values.map(Option::unwrap_or_default);
    for text in [&subject, &issuer] {
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
    }
    for digits in [&serial, &fingerprint] {
        assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digits:?}");
    }
    assert!(known == 0 || fingerprint.len() == 40);
}
