// Command judge looks at recorded objects as Flux and Argo CD do, and compares what they make of them with a table.
//
//	judge configmap DIR                       prints the argocd-cm patch that is made from the scripts in DIR (deploy/argocd)
//	judge verdicts -configmap FILE -scripts DIR -recordings DIR -history FILE -expected FILE -patches DIR
//
// Flux's verdict is that of its own kstatus library. Argo CD's scripts run in its Lua interpreter, with the libraries that it opens; how it
// finds scripts, cleans what they return and makes a patch of it is written down again here, from argo-cd v3.6.1 (util/lua, util/settings,
// server/application), since argo-cd itself is a thousand packages.
package main
