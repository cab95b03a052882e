//! What chunks see, as the properties `untrusted_lua` and its two say.

/// How far chunks are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Trust {
    /// They run with all that a state has: files, programs and modules as well.
    Full,
    #[default]
    Sandboxed,
    /// None runs.
    None,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Sandbox {
    pub trust: Trust,
    /// Modules that `require` gives, by name.
    pub requires: Vec<String>,
    /// What is seen besides [`NAMES`]: `os.getenv` or a whole library.
    pub environment: Vec<String>,
}

/// What the sandbox always shows: nothing that reaches files, programs, the network, or the state itself.
pub const NAMES: &str = "
    _VERSION assert error ipairs next pairs pcall print select tonumber tostring type unpack xpcall
    kong ngx
    bit.arshift bit.band bit.bnot bit.bor bit.bswap bit.bxor bit.lshift bit.rol bit.ror bit.rshift bit.tobit bit.tohex
    coroutine.create coroutine.resume coroutine.running coroutine.status coroutine.wrap coroutine.yield
    io.type
    jit.arch jit.os jit.version jit.version_num
    math.abs math.acos math.asin math.atan math.atan2 math.ceil math.cos math.cosh math.deg math.exp math.floor math.fmod
    math.frexp math.huge math.ldexp math.log math.log10 math.max math.min math.modf math.pi math.pow math.rad
    math.random math.sin math.sinh math.sqrt math.tan math.tanh
    os.clock os.date os.difftime os.time
    string.byte string.char string.find string.format string.gmatch string.gsub string.len string.lower string.match
    string.rep string.reverse string.sub string.upper
    table.clear table.clone table.concat table.foreach table.foreachi table.getn table.insert table.isarray table.isempty
    table.maxn table.move table.new table.nkeys table.remove table.sort
";
