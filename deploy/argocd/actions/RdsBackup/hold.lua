-- No history limit removes the object.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["rdsbackup.io/hold"] = "true"
return obj
