-- `kong`: the PDK's functions by their names, and what only chunks have of it.
local native, parts = ...
local wait, results, ended, locked_with_members = parts.wait, parts.results, parts.ended, parts.locked_with_members
local concat, format, gmatch, gsub = table.concat, string.format, string.gmatch, string.gsub

local function bound(entry)
  local call = entry.call
  if entry.ends then
    return function(...) return ended(call(...)) end
  elseif entry.reads_body then
    return function(...)
      if not native.has_body() then wait("body") end
      return results(call(...))
    end
  end
  return function(...) return results(call(...)) end
end

local pdk = {}
local kong = { version = native.version, log = {} }
for name, entry in pairs(native.pdk) do
  pdk[name] = bound(entry)
  local namespace, last = kong, nil
  for part in gmatch(name, "[^.]+") do
    if last and last ~= "kong" then
      namespace[last] = namespace[last] or {}
      namespace = namespace[last]
    end
    last = part
  end
  if name ~= "kong.log" then namespace[last] = pdk[name] end
end

local major, minor, patch = native.version:match("(%d+)%.(%d+)%.(%d+)")
kong.version_num = major and major * 1000000 + minor * 1000 + patch

local get_body = kong.request.get_body
function kong.request.get_body(mimetype, ...)
  local body, reason = get_body(mimetype, ...)
  if body == nil then return nil, reason end
  return body, nil, mimetype or (gsub(kong.request.get_header("content-type") or "", "%s*;.*", ""))
end

local function shown(...)
  local texts = { ... }
  for i = 1, select("#", ...) do
    local kind = type(texts[i])
    if kind ~= "string" and kind ~= "number" then texts[i] = tostring(texts[i]) end
  end
  return unpack(texts, 1, select("#", ...))
end

for _, level in ipairs { "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug" } do
  local write = kong.log[level]
  kong.log[level] = function(...) return write(shown(...)) end
end
local serialize = kong.log.serialize
function kong.log.serialize() return results(native.json_decode((serialize()))) end
local log = kong.log
kong.log = setmetatable({}, {
  __index = log,
  __newindex = function(_, key) error(format("kong.log.%s cannot be set", tostring(key)), 2) end,
  __call = function(_, ...) return log.notice(...) end,
})

kong.ctx = setmetatable({}, {
  __index = function(_, key)
    if key == "shared" or key == "plugin" then return native[key]() end
  end,
  __newindex = function(_, key) error(format("kong.ctx.%s cannot be set", tostring(key)), 2) end,
})

-- Pieces that are held back until the body is there whole, by their `ngx.arg`.
local held_back = setmetatable({}, { __mode = "k" })

local function filtered()
  local arg = native.arg()
  if arg then return arg end
  error(format("function cannot be called in %s phase (only in: body_filter)", native.phase()), 3)
end

function kong.response.get_raw_body()
  local arg = filtered()
  local pieces = held_back[arg] or {}
  held_back[arg] = pieces
  pieces[#pieces + 1] = arg[1]
  arg[1] = nil
  if not arg[2] then return nil end
  held_back[arg] = nil
  arg[1] = concat(pieces)
  return arg[1]
end

function kong.response.set_raw_body(body)
  local arg = filtered()
  if type(body) ~= "string" then error("body must be a string", 2) end
  arg[1], arg[2] = body, true
end

kong.table = {
  new = table.new,
  clear = table.clear,
  merge = function(...)
    local merged = {}
    for i = 1, select("#", ...) do
      for key, value in pairs((select(i, ...)) or {}) do merged[key] = value end
    end
    return merged
  end,
}

parts.kong, parts.pdk, parts.shown = locked_with_members(kong, "kong"), pdk, shown
