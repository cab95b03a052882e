//! What is changed, in the order of its execution.

use std::collections::HashSet;

use polygate_http1::Headers;
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::transform::{Changes, Pair};

#[derive(Deserialize)]
pub struct Config {
    remove: Remove,
    rename: Rename,
    replace: Values,
    add: Values,
    append: Values,
}

#[derive(Deserialize)]
struct Remove {
    /// Names; what stands behind a colon makes no difference.
    headers: Vec<Pair>,
    json: Vec<String>,
}

#[derive(Deserialize)]
struct Rename {
    headers: Vec<Pair>,
    json: Vec<Pair>,
}

#[derive(Deserialize)]
struct Values {
    headers: Vec<Pair>,
    json: Vec<Pair>,
    json_types: Vec<Kind>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Boolean,
    Number,
    String,
}

impl Config {
    /// Whether a header is there is judged by the head as it came.
    pub fn change_headers(&self, headers: &mut Headers) {
        let before: HashSet<_> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let was_there = |name: &str| before.contains(&name.to_ascii_lowercase());
        for Pair { name, .. } in &self.remove.headers {
            headers.remove(name);
        }
        for Pair { name, value: new } in &self.rename.headers {
            let values: Vec<_> = headers.get_all(name).map(<[u8]>::to_vec).collect();
            if !values.is_empty() {
                headers.remove(name);
                headers.remove(new);
                values.iter().for_each(|value| headers.append(new, value));
            }
        }
        for Pair { name, value } in self.replace.headers.iter().filter(|pair| was_there(&pair.name)) {
            headers.insert(name, value);
        }
        for Pair { name, value } in self.add.headers.iter().filter(|pair| !was_there(&pair.name)) {
            headers.insert(name, value);
        }
        for Pair { name, value } in &self.append.headers {
            headers.append(name, value);
        }
    }

    pub fn json(&self) -> Changes<'_> {
        Changes {
            remove: &self.remove.json,
            rename: &self.rename.json,
            replace: self.replace.typed(),
            add: self.add.typed(),
            append: self.append.typed(),
        }
    }
}

impl Values {
    /// What is no value of its type is left out.
    fn typed(&self) -> Vec<(&str, Value)> {
        let kinds = self.json_types.iter().copied().chain(std::iter::repeat(Kind::String));
        let values = self.json.iter().zip(kinds);
        values.filter_map(|(pair, kind)| Some((&*pair.name, kind.value(&pair.value)?))).collect()
    }
}

impl Kind {
    fn value(self, text: &str) -> Option<Value> {
        match self {
            Self::String => Some(text.into()),
            Self::Boolean => Some((text == "true").into()),
            Self::Number => {
                let whole = text.parse::<i64>().ok().map(Number::from);
                whole.or_else(|| Number::from_f64(text.parse().ok()?)).map(Value::Number)
            }
        }
    }
}
