//go:build tools

// Names what is built, so that go.mod and go.sum pin it.
package tools

import _ "go.etcd.io/etcd/server/v3"
import _ "k8s.io/kubernetes/cmd/kube-apiserver"
import _ "k8s.io/kubernetes/cmd/kube-controller-manager"
import _ "k8s.io/kubernetes/cmd/kube-scheduler"
import _ "k8s.io/kubernetes/cmd/kubectl"
