-- The health of an RdsBackup. The kind follows kstatus: Ready, Reconciling, Stalled and observedGeneration decide.
local hs = { status = "Progressing", message = "the operator has not seen it yet" }
if obj.status == nil then
  return hs
end

local ready, stalled, reconciling = nil, false, false
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Ready" then
    ready = condition
  elseif condition.type == "Stalled" then
    stalled = condition.status == "True"
  elseif condition.type == "Reconciling" then
    reconciling = condition.status == "True"
  end
end
if ready ~= nil then
  hs.message = ready.message
end

-- The status is about an older spec, or the operator has not seen the object (-1): a gate must neither pass nor fail on it.
local generation = obj.metadata.generation
if generation == nil or obj.status.observedGeneration ~= generation then
  if ready ~= nil then
    hs.message = "the newest edit is not seen yet; before it: " .. ready.message
  end
  return hs
end

if stalled then
  -- Also if it goes on by itself after a person has acted: it is Progressing again then.
  hs.status = "Degraded"
elseif ready ~= nil and ready.status == "True" and ready.observedGeneration == generation and not reconciling then
  hs.status = "Healthy"
end
return hs
