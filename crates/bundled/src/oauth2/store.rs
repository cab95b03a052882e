//! Codes and tokens that the gateway issued, shared by all workers, and those that the declarative file holds.

use std::collections::HashSet;
use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use polygate_model::{Credential, CredentialKind, Credentials, Id};
use polygate_telemetry::log;
use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, UnitWeighter};
use serde_json::Value;

/// How many there may be at once. Those that are not used are the first to go.
const MOST_TOKENS: usize = 100_000;
const MOST_CODES: usize = 10_000;
/// Seconds in which a code has to be redeemed.
pub const CODE_LIFETIME: f64 = 300.0;

/// Times in seconds since 1970.
#[derive(Clone)]
pub struct Token {
    pub access: String,
    pub refresh: Option<String>,
    /// The client's public identifier, which stays over reloads.
    pub client: String,
    pub consumer: Id,
    /// `None` if it counts for all.
    pub service: Option<Id>,
    pub user: Option<String>,
    pub scope: Option<String>,
    pub made: f64,
    /// Seconds; 0 is no limit.
    pub expires_in: i64,
    /// When it is forgotten, and the refresh token with it.
    pub ends: Option<f64>,
}

pub struct Code {
    pub client: String,
    pub consumer: Id,
    pub plugin: Id,
    pub service: Option<Id>,
    pub user: String,
    pub scope: Option<String>,
    /// What the client has to prove.
    pub challenge: Option<String>,
    pub ends: f64,
}

type Table<T> = Cache<String, Arc<T>, UnitWeighter, RandomState, Losses>;

pub struct Store {
    codes: Table<Code>,
    by_access: Table<Token>,
    by_refresh: Table<Token>,
    /// Access tokens of the declarative file whose refresh token was used.
    spent: RwLock<HashSet<String>>,
}

/// Counts what had to go before its time.
#[derive(Clone)]
struct Losses {
    what: &'static str,
    count: Arc<AtomicU64>,
}

/// What is good for some time.
trait Lasting {
    fn is_good(&self, now: f64) -> bool;
}

impl<T: Lasting> Lifecycle<String, Arc<T>> for Losses {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: String, lost: Arc<T>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if !lost.is_good(now.as_secs_f64()) {
            return;
        }
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        // Not a line for each when there are many.
        if count.is_power_of_two() {
            log!(Warn, "[oauth2] too many {} at once: {count} were forgotten so far", self.what);
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::with_room(MOST_CODES, MOST_TOKENS)
    }
}

impl Token {
    pub fn is_expired(&self, now: f64) -> bool {
        self.expires_in > 0 && now - self.made > self.expires_in as f64
    }

    fn declared(credentials: &Credentials, row: &Credential) -> Option<Self> {
        let text = |name: &str| row.fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| row.fields.get(name).and_then(Value::as_f64);
        let reference = |name: &str| row.fields.get(name)?.get("id")?.as_str()?.parse::<Id>().ok();
        let client = credentials.get(reference("credential")?)?;
        let made = number("created_at").unwrap_or_default();
        Some(Self {
            access: row.key.clone()?,
            refresh: text("refresh_token"),
            client: client.key.clone()?,
            consumer: client.consumer,
            service: reference("service"),
            user: text("authenticated_userid"),
            scope: text("scope"),
            made,
            expires_in: number("expires_in").unwrap_or_default() as i64,
            ends: number("ttl").filter(|ttl| *ttl > 0.0).map(|ttl| made + ttl),
        })
    }
}

impl Lasting for Token {
    fn is_good(&self, now: f64) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }
}

impl Lasting for Code {
    fn is_good(&self, now: f64) -> bool {
        now < self.ends
    }
}

impl Store {
    pub(super) fn with_room(codes: usize, tokens: usize) -> Self {
        Self {
            codes: table("codes", codes),
            by_access: table("access tokens", tokens),
            by_refresh: table("refresh tokens", tokens),
            spent: RwLock::default(),
        }
    }

    pub fn put_code(&self, code: String, grant: Code) {
        self.codes.insert(code, Arc::new(grant));
    }

    pub fn code(&self, code: &str, now: f64) -> Option<Arc<Code>> {
        self.codes.get(code).filter(|grant| grant.is_good(now))
    }

    /// Whether the caller is the one that may redeem it: it is good once.
    pub fn take_code(&self, code: &str) -> bool {
        self.codes.remove(code).is_some()
    }

    pub fn put(&self, token: Token) {
        let token = Arc::new(token);
        if let Some(refresh) = &token.refresh {
            self.by_refresh.insert(refresh.clone(), token.clone());
        }
        self.by_access.insert(token.access.clone(), token);
    }

    /// By its access token; it may have expired.
    pub fn access(&self, credentials: &Credentials, access: &str, now: f64) -> Option<Arc<Token>> {
        let issued = self.by_access.get(access);
        let declared = || {
            let row = credentials.by_key(CredentialKind::OAuth2Token, access)?;
            let token = Token::declared(credentials, row).filter(|_| !self.is_spent(access))?;
            Some(Arc::new(token))
        };
        issued.or_else(declared).filter(|token| token.is_good(now))
    }

    pub fn refresh(&self, credentials: &Credentials, refresh: &str, now: f64) -> Option<Arc<Token>> {
        let issued = self.by_refresh.get(refresh);
        let declared = || {
            let mut rows = credentials.values().filter(|it| it.kind == CredentialKind::OAuth2Token);
            let row = rows.find(|it| it.fields.get("refresh_token").is_some_and(|it| it == refresh))?;
            let token = Token::declared(credentials, row).filter(|token| !self.is_spent(&token.access))?;
            Some(Arc::new(token))
        };
        issued.or_else(declared).filter(|token| token.is_good(now))
    }

    /// Forgets a token and its refresh token. Whether the caller is the one that may have another in its place.
    pub fn take(&self, credentials: &Credentials, token: &Token) -> bool {
        let refresh = token.refresh.as_deref().unwrap_or_default();
        let is_issued = self.by_refresh.remove_if(refresh, |it| it.access == token.access).is_some();
        self.forget(credentials, token) || is_issued
    }

    /// Forgets an access token. Whether it was declared and not forgotten before.
    pub fn forget(&self, credentials: &Credentials, token: &Token) -> bool {
        self.by_access.remove(&token.access);
        let is_declared = credentials.by_key(CredentialKind::OAuth2Token, &token.access).is_some();
        is_declared && self.spend(&token.access)
    }

    fn is_spent(&self, access: &str) -> bool {
        self.spent.read().unwrap_or_else(PoisonError::into_inner).contains(access)
    }

    /// As many as the declarative file ever held at most: none of them may be forgotten.
    fn spend(&self, access: &str) -> bool {
        self.spent.write().unwrap_or_else(PoisonError::into_inner).insert(access.to_owned())
    }
}

fn table<T: Lasting>(what: &'static str, most: usize) -> Table<T> {
    let losses = Losses { what, count: Arc::default() };
    Cache::with(most, most as u64, UnitWeighter, RandomState::new(), losses)
}
