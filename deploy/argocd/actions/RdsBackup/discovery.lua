-- Only the history limits of a schedule read the annotation: on other objects it has no effect.
local actions = {}
local labels, annotations = obj.metadata.labels or {}, obj.metadata.annotations or {}
if labels["rdsbackup.io/schedule-name"] ~= nil then
  if annotations["rdsbackup.io/hold"] == "true" then
    actions["release"] = { ["displayName"] = "Release", ["iconClass"] = "fa fa-fw fa-unlock" }
  else
    actions["hold"] = { ["displayName"] = "Hold", ["iconClass"] = "fa fa-fw fa-lock" }
  end
end
return actions
