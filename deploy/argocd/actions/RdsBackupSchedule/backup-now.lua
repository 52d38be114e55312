local os = require("os")
-- A changed token makes one backup. Two clicks within a second are one.
obj.spec.trigger = "argocd-" .. os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
