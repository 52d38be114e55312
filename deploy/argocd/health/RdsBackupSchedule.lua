-- The health of an RdsBackupSchedule. The kind follows kstatus. Ready says only that the schedule is valid; whether there are backups is in
-- LastBackupSucceeded, BackupStalled and Fresh.
local hs = { status = "Progressing", message = "the operator has not seen it yet" }
if obj.status == nil then
  return hs
end

local is = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  is[condition.type] = condition
end
local function says(kind, status)
  return is[kind] ~= nil and is[kind].status == status
end
if is.Ready ~= nil then
  hs.message = is.Ready.message
end

-- The status is about an older spec, or the operator has not seen the object (-1).
local generation = obj.metadata.generation
if generation == nil or obj.status.observedGeneration ~= generation then
  if is.Ready ~= nil then
    hs.message = "the newest edit is not seen yet; before it: " .. is.Ready.message
  end
  return hs
end

if says("Stalled", "True") then
  hs.status = "Degraded"
elseif says("Reconciling", "True") or not says("Ready", "True") or is.Ready.observedGeneration ~= generation then
  hs.status = "Progressing"
elseif says("BackupStalled", "True") then
  -- A backup that waits or runs needs a person. It is the cause of what would turn red later, and its message says what to do.
  hs.status = "Degraded"
  hs.message = is.BackupStalled.message
elseif says("Fresh", "False") then
  -- This comes before Suspended: a forgotten pause stops backups unnoticed.
  hs.status = "Degraded"
  hs.message = is.Fresh.message
  if says("Suspended", "True") then
    hs.message = "suspended, and " .. hs.message
  end
elseif says("Suspended", "True") then
  hs.status = "Suspended"
elseif says("LastBackupSucceeded", "False") then
  hs.status = "Degraded"
  hs.message = is.LastBackupSucceeded.message
else
  hs.status = "Healthy"
  if says("TooFrequent", "True") then
    -- A warning: the schedule runs.
    hs.message = is.TooFrequent.message
  elseif obj.status.nextScheduleTime ~= nil then
    hs.message = "the next backup starts at " .. obj.status.nextScheduleTime
  end
end
return hs
