//! Sessions, and the form in which clients keep them: AES-256-GCM (RFC 5116) under a key that HKDF (RFC 5869) makes of the
//! secret.

use polygate_chain::pdk::PdkError;
use polygate_model::Id;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::encoding::{from_base64, to_base64_url};

/// A session is touched when a quarter of the idling time is over, or so many seconds.
const TOUCHED_AFTER: f64 = 60.0;

/// Times in seconds since 1970.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Session {
    pub id: String,
    pub consumer: Id,
    /// The id of what the consumer showed.
    pub credential: String,
    pub groups: Vec<String>,
    began: f64,
    renewed: f64,
}

/// Seconds; 0 is no limit.
#[derive(Deserialize, Clone)]
pub struct Limits {
    pub idling_timeout: Option<f64>,
    pub rolling_timeout: Option<f64>,
    pub absolute_timeout: Option<f64>,
}

pub struct Sealer {
    key: LessSafeKey,
    /// A value counts under its own name and for its own audience only.
    place: Vec<u8>,
}

impl Session {
    pub fn begin(consumer: Id, credential: String, groups: Vec<String>, now: f64) -> Result<Self, PdkError> {
        let id = to_base64_url(&random::<32>()?);
        Ok(Self { id, consumer, credential, groups, began: now, renewed: now })
    }

    pub fn renewed(&self, now: f64) -> Self {
        Self { renewed: now, ..self.clone() }
    }
}

impl Limits {
    /// Whether a session is still one.
    pub fn hold(&self, session: &Session, now: f64) -> bool {
        self.left(session, now).is_none_or(|left| left > 0.0)
    }

    /// Whether the client needs a new cookie.
    pub fn is_worn(&self, session: &Session, now: f64) -> bool {
        let idling = given(self.idling_timeout).map(|limit| TOUCHED_AFTER.min(limit / 4.0));
        let rolling = given(self.rolling_timeout).map(|limit| limit * 0.75);
        [idling, rolling].into_iter().flatten().any(|after| now - session.renewed > after)
    }

    /// Until the first of the limits; `None` without one.
    pub fn left(&self, session: &Session, now: f64) -> Option<f64> {
        let all = [self.idling(session, now), self.rolling(session, now), self.absolute(session, now)];
        all.into_iter().flatten().min_by(f64::total_cmp)
    }

    pub fn idling(&self, session: &Session, now: f64) -> Option<f64> {
        given(self.idling_timeout).map(|limit| session.renewed + limit - now)
    }

    pub fn rolling(&self, session: &Session, now: f64) -> Option<f64> {
        given(self.rolling_timeout).map(|limit| session.renewed + limit - now)
    }

    pub fn absolute(&self, session: &Session, now: f64) -> Option<f64> {
        given(self.absolute_timeout).map(|limit| session.began + limit - now)
    }
}

fn given(limit: Option<f64>) -> Option<f64> {
    limit.filter(|limit| *limit > 0.0)
}

impl Sealer {
    /// A secret may be empty where a reference stood for it that the vault does not know. Anybody could seal with it.
    pub fn new(secret: &str, name: &str, audience: &str) -> Result<Self, String> {
        if secret.is_empty() {
            return Err("the secret is empty; give one, or one that is in the vault".to_owned());
        }
        let source = Salt::new(HKDF_SHA256, b"polygate session").extract(secret.as_bytes());
        let key = source.expand(&[b"cookie"], &AES_256_GCM).map(UnboundKey::from);
        let key = key.map_err(|_| "no key can be made of the secret".to_owned())?;
        Ok(Self { key: LessSafeKey::new(key), place: [name, "\0", audience].concat().into_bytes() })
    }

    /// Letters that cookies may have.
    pub fn seal(&self, session: &Session) -> Result<String, PdkError> {
        let nonce = random::<NONCE_LEN>()?;
        let mut text = serde_json::to_vec(session).map_err(|error| PdkError::thrown(error.to_string()))?;
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&self.place), &mut text)
            .map_err(|_| PdkError::thrown("the session cannot be sealed"))?;
        Ok(to_base64_url(&[nonce.as_slice(), &text].concat()))
    }

    /// `None` for what was not sealed with this secret, for this place.
    pub fn open(&self, value: &str) -> Option<Session> {
        let mut bytes = from_base64(value)?;
        let (nonce, text) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = self.key.open_in_place(nonce, Aad::from(&self.place), text).ok()?;
        serde_json::from_slice(text).ok()
    }
}

fn random<const N: usize>() -> Result<[u8; N], PdkError> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| PdkError::thrown("the system has no randomness"))?;
    Ok(bytes)
}
