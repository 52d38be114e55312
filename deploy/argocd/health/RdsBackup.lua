-- The health of an RdsBackup. The kind follows kstatus: Ready, Reconciling, Stalled and observedGeneration say everything.
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

-- What the status says is about an older spec, or nothing was seen (-1): a gate must not pass, or fail, on it.
local generation = obj.metadata.generation
if generation == nil or obj.status.observedGeneration ~= generation then
  if ready ~= nil then
    hs.message = "the newest edit is not seen yet; before it: " .. ready.message
  end
  return hs
end

if stalled then
  -- Also where it goes on by itself once somebody has helped: it is then Progressing again.
  hs.status = "Degraded"
elseif ready ~= nil and ready.status == "True" and ready.observedGeneration == generation and not reconciling then
  hs.status = "Healthy"
end
return hs
