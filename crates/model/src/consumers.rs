//! Consumers, found by each of their names.

use std::sync::Arc;

use foldhash::HashMap;

use crate::entities::{Consumer, Id};

/// All consumers.
#[derive(Debug, Default, Clone)]
pub struct Consumers {
    by_id: HashMap<Id, Arc<Consumer>>,
    by_username: HashMap<String, Arc<Consumer>>,
    by_custom_id: HashMap<String, Arc<Consumer>>,
}

impl Consumers {
    pub fn get(&self, id: Id) -> Option<&Arc<Consumer>> {
        self.by_id.get(&id)
    }

    pub fn by_username(&self, username: &str) -> Option<&Arc<Consumer>> {
        self.by_username.get(username)
    }

    pub fn by_custom_id(&self, custom_id: &str) -> Option<&Arc<Consumer>> {
        self.by_custom_id.get(custom_id)
    }

    /// In no order.
    pub fn values(&self) -> impl Iterator<Item = &Arc<Consumer>> {
        self.by_id.values()
    }

    /// In place of one with the same id.
    pub fn insert(&mut self, consumer: Arc<Consumer>) {
        self.remove(consumer.id);
        if let Some(username) = &consumer.username {
            self.by_username.insert(username.clone(), consumer.clone());
        }
        if let Some(custom_id) = &consumer.custom_id {
            self.by_custom_id.insert(custom_id.clone(), consumer.clone());
        }
        self.by_id.insert(consumer.id, consumer);
    }

    pub fn remove(&mut self, id: Id) {
        let Some(consumer) = self.by_id.remove(&id) else { return };
        if let Some(username) = &consumer.username {
            self.by_username.remove(username);
        }
        if let Some(custom_id) = &consumer.custom_id {
            self.by_custom_id.remove(custom_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_found_by_each_name_until_it_changes() {
        let consumer = |username: Option<&str>, custom_id: Option<&str>| {
            let (username, custom_id) = (username.map(str::to_owned), custom_id.map(str::to_owned));
            Arc::new(Consumer {
                id: Id::max(),
                created_at: 1,
                updated_at: 1,
                username,
                custom_id,
                tags: None,
            })
        };
        let found = |consumers: &Consumers, name: &str| {
            [consumers.by_username(name), consumers.by_custom_id(name)].map(|found| found.is_some())
        };
        let mut consumers = Consumers::default();
        consumers.insert(consumer(Some("a"), Some("b")));
        assert_eq!([found(&consumers, "a"), found(&consumers, "b")], [[true, false], [false, true]]);
        consumers.insert(consumer(Some("c"), None));
        assert_eq!([found(&consumers, "a"), found(&consumers, "b")], [[false, false], [false, false]]);
        assert_eq!(found(&consumers, "c"), [true, false]);
        assert_eq!(consumers.values().count(), 1);
        consumers.remove(Id::max());
        assert!(consumers.get(Id::max()).is_none());
        assert_eq!(found(&consumers, "c"), [false, false]);
    }
}
