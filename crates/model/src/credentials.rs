//! What authenticates consumers, found by what a request shows of it and by its consumer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use foldhash::HashMap;
use serde_json::{Map, Value};

use crate::entities::Id;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CredentialKind {
    KeyAuth,
    BasicAuth,
    HmacAuth,
    Jwt,
    Acl,
    OAuth2,
    OAuth2Token,
}

impl CredentialKind {
    const ALL: [Self; 7] = [
        Self::KeyAuth,
        Self::BasicAuth,
        Self::HmacAuth,
        Self::Jwt,
        Self::Acl,
        Self::OAuth2,
        Self::OAuth2Token,
    ];

    /// The name of the entries' collection.
    pub fn collection(self) -> &'static str {
        match self {
            Self::KeyAuth => "keyauth_credentials",
            Self::BasicAuth => "basicauth_credentials",
            Self::HmacAuth => "hmacauth_credentials",
            Self::Jwt => "jwt_secrets",
            Self::Acl => "acls",
            Self::OAuth2 => "oauth2_credentials",
            Self::OAuth2Token => "oauth2_tokens",
        }
    }

    pub fn of_collection(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.collection() == name)
    }
}

/// What authenticates a consumer. The members beyond these differ per kind and stay JSON: the core
/// reads none of them.
#[derive(Clone, PartialEq)]
pub struct Credential {
    pub kind: CredentialKind,
    pub id: Id,
    pub consumer: Id,
    /// What a request is to show: the key, the user name, the client's id, the token. Groups have none.
    pub key: Option<String>,
    pub fields: Map<String, Value>,
}

/// Without the key and the fields: they may be secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, id, consumer, .. } = self;
        write!(f, "{kind:?} {id} of consumer {consumer}")
    }
}

/// All credentials.
#[derive(Debug, Default, Clone)]
pub struct Credentials {
    by_id: BTreeMap<Id, Arc<Credential>>,
    by_key: HashMap<CredentialKind, HashMap<String, Arc<Credential>>>,
    by_consumer: HashMap<(CredentialKind, Id), Vec<Arc<Credential>>>,
}

impl Credentials {
    pub fn get(&self, id: Id) -> Option<&Arc<Credential>> {
        self.by_id.get(&id)
    }

    pub fn by_key(&self, kind: CredentialKind, key: &str) -> Option<&Arc<Credential>> {
        self.by_key.get(&kind)?.get(key)
    }

    /// Those of one consumer.
    pub fn of_consumer(&self, kind: CredentialKind, consumer: Id) -> &[Arc<Credential>] {
        self.by_consumer.get(&(kind, consumer)).map(Vec::as_slice).unwrap_or_default()
    }

    /// In the order of their ids.
    pub fn values(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.by_id.values()
    }

    /// In place of one with the same id.
    pub fn insert(&mut self, credential: Arc<Credential>) {
        self.remove(credential.id);
        if let Some(key) = &credential.key {
            self.by_key.entry(credential.kind).or_default().insert(key.clone(), credential.clone());
        }
        self.by_consumer.entry((credential.kind, credential.consumer)).or_default().push(credential.clone());
        self.by_id.insert(credential.id, credential);
    }

    pub fn remove(&mut self, id: Id) {
        let Some(credential) = self.by_id.remove(&id) else { return };
        if let (Some(key), Some(keys)) = (&credential.key, self.by_key.get_mut(&credential.kind)) {
            keys.remove(key);
        }
        if let Some(siblings) = self.by_consumer.get_mut(&(credential.kind, credential.consumer)) {
            siblings.retain(|sibling| sibling.id != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSUMER: Id = Id::from_u128(7);

    fn credential(id: u128, kind: CredentialKind, key: Option<&str>) -> Arc<Credential> {
        let fields = Map::from_iter([("secret".to_owned(), "s3cret".into())]);
        let key = key.map(str::to_owned);
        Arc::new(Credential { kind, id: Id::from_u128(id), consumer: CONSUMER, key, fields })
    }

    #[test]
    fn are_found_by_key_and_by_consumer() {
        let mut credentials = Credentials::default();
        credentials.insert(credential(1, CredentialKind::KeyAuth, Some("k")));
        credentials.insert(credential(2, CredentialKind::Jwt, Some("k")));
        credentials.insert(credential(3, CredentialKind::Acl, None));
        let id =
            |credentials: &Credentials, kind, key| credentials.by_key(kind, key).map(|it| it.id.as_u128());
        assert_eq!(id(&credentials, CredentialKind::KeyAuth, "k"), Some(1));
        assert_eq!(id(&credentials, CredentialKind::Jwt, "k"), Some(2));
        assert_eq!(id(&credentials, CredentialKind::BasicAuth, "k"), None);
        let owned = |credentials: &Credentials| {
            [CredentialKind::KeyAuth, CredentialKind::Jwt, CredentialKind::Acl]
                .map(|kind| credentials.of_consumer(kind, CONSUMER).len())
        };
        assert_eq!(owned(&credentials), [1, 1, 1]);
        assert!(credentials.of_consumer(CredentialKind::Acl, Id::nil()).is_empty());

        credentials.insert(credential(1, CredentialKind::KeyAuth, Some("other")));
        assert_eq!(id(&credentials, CredentialKind::KeyAuth, "k"), None);
        assert_eq!(id(&credentials, CredentialKind::KeyAuth, "other"), Some(1));
        assert_eq!((owned(&credentials), credentials.values().count()), ([1, 1, 1], 3));

        credentials.remove(Id::from_u128(1));
        credentials.remove(Id::from_u128(3));
        assert_eq!(id(&credentials, CredentialKind::KeyAuth, "other"), None);
        assert_eq!(owned(&credentials), [0, 1, 0]);
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", credential(1, CredentialKind::KeyAuth, Some("a-secret-key")));
        assert!(shown.starts_with("KeyAuth 00000000-"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
