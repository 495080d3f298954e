//go:build tools

// Names what is built, so that go.mod and go.sum pin it.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
