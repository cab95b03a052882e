//! What plugins of this process keep of a request between their hooks.

use std::any::Any;

/// One value of each type: the types are the plugins' own.
#[derive(Default)]
pub struct Kept(Vec<Box<dyn Any>>);

impl Kept {
    /// In place of an earlier one of the type.
    pub fn put<T: Any>(&mut self, value: T) {
        self.take::<T>();
        self.0.push(Box::new(value));
    }

    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.iter().find_map(|value| value.downcast_ref())
    }

    pub fn take<T: Any>(&mut self) -> Option<T> {
        let at = self.0.iter().position(|value| value.is::<T>())?;
        self.0.swap_remove(at).downcast().ok().map(|value| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_type() {
        let mut kept = Kept::default();
        kept.put(1_u8);
        kept.put("text");
        kept.put(2_u8);
        assert_eq!(
            (kept.get::<u8>(), kept.get::<&str>(), kept.get::<u16>()),
            (Some(&2), Some(&"text"), None)
        );
        assert_eq!((kept.take::<u8>(), kept.take::<u8>()), (Some(2), None));
    }
}
