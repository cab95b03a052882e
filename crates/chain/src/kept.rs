//! What plugins of this process keep of a request between their hooks.

use std::any::Any;

use smallvec::SmallVec;

/// One value of each type: the types are the plugins' own.
#[derive(Default)]
pub struct Kept(SmallVec<[Box<dyn Any>; 1]>);

impl Kept {
    /// In place of an earlier one of the type.
    pub fn put<T: Any>(&mut self, value: T) {
        self.take::<T>();
        self.0.push(Box::new(value));
    }

    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.iter().find_map(|value| value.downcast_ref())
    }

    /// The value of the type, made now if there is none.
    pub fn get_or_put<T: Any>(&mut self, make: impl FnOnce() -> T) -> &mut T {
        let at = match self.0.iter().position(|value| value.is::<T>()) {
            Some(at) => at,
            None => {
                self.put(make());
                self.0.len() - 1
            }
        };
        self.0[at].downcast_mut().expect("it was looked for by its type")
    }

    pub fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.0.iter_mut().find_map(|value| value.downcast_mut())
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
        *kept.get_or_put(|| 7_u8) += 1;
        assert_eq!(*kept.get_or_put(|| 7_u16), 7);
        assert_eq!((kept.take::<u8>(), kept.take::<u8>()), (Some(3), None));
    }
}
