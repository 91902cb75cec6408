//go:build !linux

package proxy

import (
	"bitgate/internal/problem"
	"bitgate/proxy/config"
	"bitgate/proxy/keys"
)

// KeysVariable is not used on this system.
const KeysVariable = "BITGATE_KEYS"

func openKeysBy(config.Config, Process) (*keys.Opener, error) { return nil, nil }

// OpenKeys belongs to Linux, where a proxy may start as root.
func OpenKeys([]string) error { return problem.New("this is for Linux only", "", "") }
