package live

import (
	"path/filepath"
	"slices"
	"strings"

	"bitgate/internal/service"
	"bitgate/internal/unit"
)

// loadUnit reads the unit that is HAProxy's: the one that is reloaded, where systemd runs.
func loadUnit(root string) (unit.Service, bool) {
	name := "haproxy.service"
	if c, ok := service.FindHAProxy(root); ok && c.How == service.Systemd {
		name = c.Name
	}
	return unit.Load(root, name)
}

// unitArgs returns the arguments haproxy is started with, and where they stand.
func unitArgs(root string) (args []string, why string) {
	if u, ok := loadUnit(root); ok {
		if args := u.Args(); len(cfgArgs(args)) > 0 {
			return args, "ExecStart of " + u.Path
		}
	}
	return sysvArgs(root)
}

// sysvArgs follows the init scripts of Debian (CONFIG, EXTRAOPTS) and Red Hat
// (OPTIONS), which read the same files as their units do.
func sysvArgs(root string) (args []string, why string) {
	for _, path := range []string{"/etc/default/haproxy", "/etc/sysconfig/haproxy"} {
		env := map[string]string{}
		for _, v := range unit.ReadEnvironment(filepath.Join(root, path)) {
			env[v.Name] = v.Value
		}
		args := slices.Concat([]string{"-f", DefaultCfg}, strings.Fields(env["EXTRAOPTS"]), strings.Fields(env["OPTIONS"]))
		if cfg := env["CONFIG"]; cfg != "" {
			args[1] = cfg
		}
		if len(cfgArgs(args)) > 1 || env["CONFIG"] != "" {
			return args, path
		}
	}
	return nil, ""
}
