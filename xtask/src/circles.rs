//! Files of one crate that use each other in a circle: none of them can be read, or changed, without all others.
//!
//! A file uses another when it names an item that the other defines, wherever the item is re-exported. A folder's
//! files are held apart from the file of the folder's own name: it may use them, or they may use it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::source::Source;

/// Uses that may close a circle, as what the files describe is recursive: the crate, a file, and the file it uses.
const RECURSIVE: [(&str, &str, &str); 1] = [
    // A rule between the fields of a record matches them with fields of its own, and a field may be a record.
    ("model", "schema/checks.rs", "schema/field.rs"),
];

pub fn check(root: &Path) -> Result<(), String> {
    for (name, folder) in crate::crates(root)? {
        let sources = Crate::read(&folder.join("src"))?;
        let of_crate = RECURSIVE.iter().filter(|(of, ..)| *of == name);
        let recursive: Vec<_> = of_crate.map(|(_, file, used)| [*file, *used]).collect();
        let circles = sources.circles(&recursive);
        if !recursive.is_empty() && sources.circles(&[]).is_empty() {
            return Err(format!(
                "crate has no circles, take it from RECURSIVE in xtask/src/circles.rs: {name}"
            ));
        }
        if !circles.is_empty() {
            return Err(format!(
                "files of {name} use each other in a circle, move what they share to a file of its own:\n{}",
                circles.join("\n")
            ));
        }
    }
    Ok(())
}

/// Words from the root of the crate; `[]` is `lib.rs`.
type Module = Vec<String>;

#[derive(Default)]
struct Crate {
    sources: BTreeMap<Module, Source>,
    /// Relative to the folder of the sources.
    files: BTreeMap<Module, PathBuf>,
}

/// What a path names.
#[derive(PartialEq, Eq)]
enum Named {
    Module(Module),
    /// Something defined in the module's file.
    Item(Module),
}

impl Crate {
    fn read(folder: &Path) -> Result<Self, String> {
        let root = ["lib.rs", "main.rs"].into_iter().map(PathBuf::from).find(|it| folder.join(it).exists());
        let Some(root) = root else { return Ok(Self::default()) };
        Self::load(root, |path| {
            let path = folder.join(path);
            path.exists().then(|| crate::read(&path)).transpose()
        })
    }

    /// Follows the declarations of modules from the crate's root. `text` gives a file, or `None` where none is.
    fn load(root: PathBuf, text: impl Fn(&Path) -> Result<Option<String>, String>) -> Result<Self, String> {
        let mut whole = Self::default();
        let mut waiting = vec![(Module::new(), root)];
        while let Some((module, file)) = waiting.pop() {
            let source = match text(&file)? {
                Some(text) => Source::read(&text),
                None => return Err(format!("module has no file: {}", file.display())),
            };
            for child in &source.children {
                let child = [module.as_slice(), std::slice::from_ref(child)].concat();
                let folder: PathBuf = child.iter().collect();
                let in_folder = folder.join("mod.rs");
                let is_in_folder = text(&in_folder)?.is_some();
                waiting.push((child, if is_in_folder { in_folder } else { folder.with_extension("rs") }));
            }
            whole.files.insert(module.clone(), file);
            whole.sources.insert(module, source);
        }
        Ok(whole)
    }

    /// The shortest circle through each file that is in one, as a line. `recursive` are the uses that may close one.
    fn circles(&self, recursive: &[[&str; 2]]) -> Vec<String> {
        let may_close = |file: &Module, used: &Module| {
            recursive.iter().any(|[one, other]| {
                self.files[file] == Path::new(one) && self.files[used] == Path::new(other)
            })
        };
        let uses_of = |module| {
            let mut uses = self.uses(module);
            uses.retain(|used, _| !may_close(module, used));
            (module, uses)
        };
        let uses: BTreeMap<&Module, BTreeMap<Module, String>> = self.sources.keys().map(uses_of).collect();
        let mut seen = BTreeSet::new();
        let mut lines = Vec::new();
        for start in self.sources.keys() {
            let Some(circle) = shortest_circle(start, &uses) else { continue };
            if seen.insert(circle.iter().cloned().collect::<BTreeSet<_>>()) {
                let name = |module: &Module| self.files[module].display().to_string();
                let next = circle.iter().cycle().skip(1);
                let steps = circle
                    .iter()
                    .zip(next)
                    .map(|(module, next)| format!("{} uses {}", name(module), uses[module][next]));
                lines.push(format!("  {}, {}", steps.collect::<Vec<_>>().join(", "), name(start)));
            }
        }
        lines
    }

    /// The modules whose items this one names, each with a path that does.
    fn uses(&self, module: &Module) -> BTreeMap<Module, String> {
        let source = &self.sources[module];
        let mut uses = BTreeMap::new();
        let imported = source.imports.iter().map(|import| (&import.path, import.name.is_none()));
        for (path, is_glob) in imported.chain(source.paths.iter().map(|path| (path, false))) {
            let used = match self.resolve(module, path, &mut Vec::new()) {
                // Nothing of a module is used by its name alone: what is, begins with the name.
                Some(Named::Module(used)) if is_glob => used,
                Some(Named::Item(used)) => used,
                _ => continue,
            };
            if used != *module {
                uses.entry(used).or_insert_with(|| path.join("::"));
            }
        }
        uses
    }

    /// What a path means in a module; `None` when it leads out of the crate, or to the file itself. `under_way` are the
    /// imports that are being followed.
    fn resolve<'c>(
        &'c self,
        module: &Module,
        path: &'c [String],
        under_way: &mut Vec<&'c [String]>,
    ) -> Option<Named> {
        let (first, mut rest) = path.split_first()?;
        let mut current = match first.as_str() {
            "crate" => Module::new(),
            "self" => module.clone(),
            "super" => module.split_last()?.1.to_vec(),
            _ => {
                rest = path;
                let is_known = self.child(module, first).is_some() || self.imported(module, first).is_some();
                is_known.then(|| module.clone())?
            }
        };
        while let Some((word, after)) = rest.split_first() {
            let child = self.child(&current, word);
            let import = self.imported(&current, word).filter(|import| !under_way.contains(import));
            current = match (child, import) {
                // A function may have the name of its module.
                (Some(child), None) => child,
                (Some(child), Some(_)) if !after.is_empty() => child,
                (_, Some(import)) => {
                    under_way.push(import);
                    match self.resolve(&current, import, under_way)? {
                        Named::Module(module) => module,
                        item => return Some(item),
                    }
                }
                _ if word == "super" => current.split_last()?.1.to_vec(),
                _ => return Some(Named::Item(current)),
            };
            rest = after;
        }
        Some(Named::Module(current))
    }

    fn child(&self, module: &Module, name: &str) -> Option<Module> {
        let child = [module.as_slice(), &[name.to_owned()]].concat();
        self.sources.contains_key(&child).then_some(child)
    }

    fn imported(&self, module: &Module, name: &str) -> Option<&[String]> {
        let mut imports = self.sources[module].imports.iter();
        imports.find(|import| import.name.as_deref() == Some(name)).map(|import| import.path.as_slice())
    }
}

/// From `start` back to it, without its second time.
fn shortest_circle(
    start: &Module,
    uses: &BTreeMap<&Module, BTreeMap<Module, String>>,
) -> Option<Vec<Module>> {
    let mut from: BTreeMap<&Module, &Module> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(module) = waiting.pop_front() {
        for next in uses.get(module)?.keys() {
            if next == start {
                let back = std::iter::successors(Some(module), |it| from.get(it).copied());
                let mut circle: Vec<Module> = back.cloned().collect();
                circle.reverse();
                return Some(circle);
            }
            if !from.contains_key(next) {
                from.insert(next, module);
                waiting.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let text = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            Ok(found.map(|(_, text)| (*text).to_owned()))
        };
        Crate::load("lib.rs".into(), text).expect("a crate").circles(&[["recursive.rs", "record.rs"]])
    }

    #[test]
    fn the_crates_have_no_circles() {
        check(crate::root()).expect("no circles");
    }

    #[test]
    fn two_files_that_use_each_other_are_a_circle() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::{b::{B, self}, c}; struct A;"),
            ("b.rs", "fn f() { crate::a::A::new(); }"),
            ("c.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found, ["  a.rs uses crate::b::B, b.rs uses crate::a::A::new, a.rs"]);
    }

    #[test]
    fn each_circle_is_told_once() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::a::A; use crate::d::D;"),
            ("d.rs", "use super::c::C;"),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].starts_with("  c.rs uses crate::d::D, d.rs uses super::c::C"), "{found:?}");
    }

    #[test]
    fn re_exports_stand_for_the_file_that_defines() {
        let lib = "mod a; mod b; pub use a::A; pub use b::{B as Other};";
        assert!(circles(&[("lib.rs", lib), ("a.rs", "struct A;"), ("b.rs", "use crate::A;")]).is_empty());
        let found = circles(&[("lib.rs", lib), ("a.rs", "use crate::Other;"), ("b.rs", "use crate::A;")]);
        assert_eq!(found, ["  a.rs uses crate::Other, b.rs uses crate::A, a.rs"]);
    }

    #[test]
    fn what_the_root_defines_is_its_own() {
        let found = circles(&[
            ("lib.rs", "mod a; pub use a::A; pub struct Root(A);"),
            ("a.rs", "use crate::Root; struct A(Root);"),
        ]);
        assert_eq!(found, ["  lib.rs uses a::A, a.rs uses crate::Root, lib.rs"]);
    }

    #[test]
    fn a_child_may_not_use_the_file_that_uses_it() {
        let parent = ("a.rs", "mod b; struct A; fn f() { b::make(); }");
        assert!(circles(&[("lib.rs", "mod a;"), parent, ("a/b.rs", "fn make() {}")]).is_empty());
        let found = circles(&[("lib.rs", "mod a;"), parent, ("a/b.rs", "use super::A;")]);
        assert_eq!(found, ["  a.rs uses b::make, a/b.rs uses super::A, a.rs"]);
        let only_declares = ("a.rs", "mod b; struct A;");
        assert!(circles(&[("lib.rs", "mod a;"), only_declares, ("a/b.rs", "use super::*;")]).is_empty());
        let through_import = ("a/b.rs", "use super::C;");
        let imports = ("a.rs", "mod b; use crate::c::C; pub use b::B;");
        assert!(
            circles(&[("lib.rs", "mod a; mod c;"), imports, through_import, ("c.rs", "struct C;")])
                .is_empty()
        );
    }

    #[test]
    fn a_function_may_be_called_as_its_module() {
        let found = circles(&[
            ("lib.rs", "mod check; mod other; pub use check::check;"),
            ("check.rs", "use crate::other::Other; fn check() {}"),
            ("other.rs", "use crate::check;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn what_is_recursive_may_close_a_circle() {
        let lib = ("lib.rs", "mod record; mod recursive; mod other;");
        let record = ("record.rs", "use crate::recursive::Rule; struct Record(Rule);");
        let recursive =
            ("recursive.rs", "use crate::record::Record; use crate::other::Other; struct Rule(Record);");
        assert!(circles(&[lib, record, recursive, ("other.rs", "struct Other;")]).is_empty());
        let found =
            circles(&[lib, record, recursive, ("other.rs", "use crate::record::Record; struct Other;")]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn other_crates_are_none_of_its_files() {
        let found = circles(&[
            ("lib.rs", "mod bytes; mod a;"),
            ("a.rs", "use http::Bytes; use bytes::Other; struct A;"),
            ("bytes.rs", "use crate::a::A; use std::a::B;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn imports_of_each_other_end() {
        let a = ("a.rs", "pub use crate::b::X;");
        assert!(circles(&[("lib.rs", "mod a; mod b;"), a, ("b.rs", "pub use crate::a::X;")]).len() <= 1);
    }
}
