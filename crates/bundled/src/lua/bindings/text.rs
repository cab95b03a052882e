//! Clocks, encodings and digests of `ngx`.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use md5::{Digest as _, Md5};
use mlua::{Lua, LuaString, Table};
use polygate_telemetry::clock;
use ring::{digest, hmac};

use crate::encoding::{from_base64, hex};

type Bytes = Vec<u8>;

pub fn install(lua: &Lua, natives: &Table) -> mlua::Result<()> {
    natives
        .raw_set("now", lua.create_function(|_, ()| Ok(clock::unix_now().as_millis() as f64 / 1000.0))?)?;
    natives.raw_set("pid", std::process::id())?;
    let set = |name: &str, of: fn(&[u8]) -> Bytes| {
        natives.raw_set(
            name,
            lua.create_function(move |lua, text: LuaString| lua.create_string(of(&text.as_bytes())))?,
        )
    };
    set("encode_base64", |bytes| BASE64_STANDARD.encode(bytes).into())?;
    set("encode_base64_unpadded", |bytes| BASE64_STANDARD_NO_PAD.encode(bytes).into())?;
    set("encode_base64url", |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes).into())?;
    set("md5", |bytes| hex(&Md5::digest(bytes)).into())?;
    set("md5_bin", |bytes| Md5::digest(bytes).to_vec())?;
    set("sha1_bin", |bytes| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec())?;
    set("sha256_bin", |bytes| digest::digest(&digest::SHA256, bytes).as_ref().to_vec())?;
    natives.raw_set(
        "decode_base64",
        lua.create_function(|lua, text: LuaString| {
            let decoded = from_base64(&text.to_string_lossy());
            decoded.map(|bytes| lua.create_string(bytes)).transpose()
        })?,
    )?;
    natives.raw_set(
        "hmac_sha1",
        lua.create_function(|lua, (key, text): (LuaString, LuaString)| {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key.as_bytes());
            lua.create_string(hmac::sign(&key, &text.as_bytes()))
        })?,
    )
}
