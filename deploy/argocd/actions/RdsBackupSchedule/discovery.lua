local actions = {}
-- `trigger` works while the schedule is suspended too.
actions["backup-now"] = { ["displayName"] = "Back up now", ["iconClass"] = "fa fa-fw fa-database" }
if obj.spec.suspend then
  actions["resume"] = { ["displayName"] = "Resume", ["iconClass"] = "fa fa-fw fa-play" }
else
  actions["suspend"] = { ["displayName"] = "Suspend", ["iconClass"] = "fa fa-fw fa-pause" }
end
return actions
