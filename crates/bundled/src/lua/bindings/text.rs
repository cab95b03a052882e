//! Clocks, encodings and digests of `ngx`.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use md5::{Digest as _, Md5};
use mlua::{Lua, LuaString, Table};
use polygate_telemetry::clock;
use ring::{digest, hmac};

use crate::encoding::{from_base64, hex};

/// Makes bytes of bytes.
type OfBytes = fn(&[u8]) -> Vec<u8>;

pub fn install(lua: &Lua, natives: &Table) -> mlua::Result<()> {
    let now = lua.create_function(|_, ()| Ok(clock::unix_now().as_millis() as f64 / 1000.0))?;
    natives.raw_set("now", now)?;
    natives.raw_set("pid", std::process::id())?;
    natives.raw_set("decode_base64", lua.create_function(decode_base64)?)?;
    natives.raw_set("hmac_sha1", lua.create_function(hmac_sha1)?)?;
    let of_bytes: [(&str, OfBytes); 6] = [
        ("encode_base64", |bytes| BASE64_STANDARD.encode(bytes).into()),
        ("encode_base64_unpadded", |bytes| BASE64_STANDARD_NO_PAD.encode(bytes).into()),
        ("encode_base64url", |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes).into()),
        ("md5", |bytes| hex(&Md5::digest(bytes)).into()),
        ("md5_bin", |bytes| Md5::digest(bytes).to_vec()),
        ("sha1_bin", |bytes| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()),
    ];
    for (name, run) in of_bytes {
        let function =
            lua.create_function(move |lua, text: LuaString| lua.create_string(run(&text.as_bytes())))?;
        natives.raw_set(name, function)?;
    }
    Ok(())
}

fn decode_base64(lua: &Lua, text: LuaString) -> mlua::Result<Option<LuaString>> {
    from_base64(&text.to_string_lossy()).map(|bytes| lua.create_string(bytes)).transpose()
}

fn hmac_sha1(lua: &Lua, (key, text): (LuaString, LuaString)) -> mlua::Result<LuaString> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key.as_bytes());
    lua.create_string(hmac::sign(&key, &text.as_bytes()))
}
