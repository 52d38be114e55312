obj.metadata.annotations["rdsbackup.io/hold"] = nil
return obj
