-- What a sandbox shows: globals, and modules.
local native, parts = ...
local results, locked = parts.results, parts.locked
local format, gmatch = string.format, string.gmatch
local raw_require = require

local function encode(value) return results(native.json_encode(value)) end
local function decode(text) return results(native.json_decode(text)) end
local function returned(ok, ...)
  if ok then return ... end
  return nil, (...)
end
local function json(own)
  own.null, own._NAME, own.empty_array = native.null, "cjson", {}
  for _, name in ipairs {
    "encode_empty_table_as_object", "encode_sparse_array", "encode_number_precision", "encode_max_depth",
    "decode_max_depth", "decode_array_with_array_mt", "encode_escape_forward_slash",
  } do
    own[name] = function() error(format("cjson.%s is not available", name), 2) end
  end
  return own
end

local modules = {
  cjson = json { encode = encode, decode = decode },
  ["cjson.safe"] = json {
    encode = function(value) return returned(native.json_encode(value)) end,
    decode = function(text) return returned(native.json_decode(text)) end,
  },
  ["ngx.base64"] = {
    encode_base64url = native.encode_base64url,
    decode_base64url = native.decode_base64,
  },
  bit = bit,
}
for _, name in ipairs { "new", "clear", "clone", "isarray", "isempty", "nkeys" } do
  modules["table." .. name] = table[name]
end

local all = _G
all.kong, all.ngx = parts.kong, parts.ngx

-- The globals of a sandbox: what `names` names, and modules of the list `requires`. Without names it is all there is.
function parts.show(names, requires)
  if not names then
    all.require = function(name) return modules[name] or raw_require(name) end
    return all
  end
  local allowed, seen, tables = {}, {}, {}
  for _, name in ipairs(requires) do allowed[name] = true end
  for _, name in ipairs(names) do
    local from, to, last = all, seen, nil
    for part in gmatch(name, "[^.]+") do
      if last then
        -- It is shown as a whole.
        if to[last] ~= nil and to[last] == from[last] then last = nil break end
        from, to[last] = from[last], to[last] or {}
        to = to[last]
        tables[to] = true
      end
      if type(from) ~= "table" then break end
      last = part
    end
    if last and type(from) == "table" then to[last] = from[last] end
  end
  for name, value in pairs(seen) do
    if tables[value] then seen[name] = locked(value, name) end
  end
  function seen.require(name)
    if not allowed[name] then error(format("require '%s' not allowed within sandbox", tostring(name)), 2) end
    return modules[name] or error(format("module '%s' is not available", name), 2)
  end
  return seen
end
