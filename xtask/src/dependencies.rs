//! The direction of dependencies between crates: from one layer to a lower one, never sideways.
//! Dev-dependencies are free.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Value;

/// From the lowest to the highest.
const LAYERS: [&[&str]; 10] = [
    &["value"],
    &["http1", "model", "plugin-proto"],
    &["net", "telemetry"],
    &["balancer", "chain", "config", "entities", "router", "tls"],
    &["transport"],
    &["bundled", "http", "plugin-host", "stream"],
    &["app"],
    &["gateway"],
    &["e2e", "fuzz", "testkit"],
    &["soak"],
];

/// The crates that may know how plugin servers speak.
const KNOW_PLUGIN_PROTO: [&str; 3] = ["plugin-host", "testkit", "fuzz"];

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Manifest {
    dependencies: BTreeMap<String, Value>,
    build_dependencies: BTreeMap<String, Value>,
    target: BTreeMap<String, Manifest>,
}

impl Manifest {
    /// Names of this workspace's crates, without their prefix.
    fn own_dependencies(&self) -> Vec<&str> {
        let names = self.dependencies.keys().chain(self.build_dependencies.keys());
        let own = names.filter_map(|name| name.strip_prefix("polygate-"));
        own.chain(self.target.values().flat_map(Self::own_dependencies)).collect()
    }
}

pub fn check(root: &Path) -> Result<(), String> {
    for (name, folder) in crate::crates(root)? {
        let path = folder.join("Cargo.toml");
        check_manifest(&name, &crate::read(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn check_manifest(name: &str, text: &str) -> Result<(), String> {
    let manifest: Manifest = toml::from_str(text).map_err(|error| error.to_string())?;
    let own = layer(name)?;
    for dependency in manifest.own_dependencies() {
        if layer(dependency)? >= own {
            return Err(format!("dependency must be in a lower layer than {name}: {dependency}"));
        }
        if dependency == "plugin-proto" && !KNOW_PLUGIN_PROTO.contains(&name) {
            return Err(format!(
                "plugin-proto is only for {}, not for: {name}",
                KNOW_PLUGIN_PROTO.join(", ")
            ));
        }
    }
    Ok(())
}

fn layer(name: &str) -> Result<usize, String> {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&name))
        .ok_or_else(|| format!("crate has no layer, add it to LAYERS in xtask/src/dependencies.rs: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_depend_downwards() {
        check(crate::root()).expect("the direction of dependencies");
    }

    #[test]
    fn wrong_directions_are_refused() {
        let refusal = |name, text| check_manifest(name, text).expect_err("a wrong dependency");
        let http = "[dependencies]\npolygate-http.workspace = true";
        assert_eq!(refusal("chain", http), "dependency must be in a lower layer than chain: http");
        assert_eq!(
            refusal("plugin-host", http),
            "dependency must be in a lower layer than plugin-host: http"
        );
        assert!(refusal("app", "[target.x.build-dependencies]\npolygate-gateway = '1'").contains("gateway"));
        assert!(refusal("http", "[dependencies]\npolygate-plugin-proto = '1'").contains("not for: http"));
        assert!(refusal("new", http).contains("has no layer"));
        assert_eq!(check_manifest("app", http), Ok(()));
        assert_eq!(check_manifest("chain", "[dev-dependencies]\npolygate-http = '1'"), Ok(()));
    }
}
