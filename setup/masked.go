package setup

import (
	"slices"

	"bitgate/internal/atomicfile"
	"bitgate/setup/redact"
)

// configFiles are the files of configuration that were read.
func (f Facts) configFiles() []atomicfile.File {
	all := append([]atomicfile.File{f.Properties, f.ServerXML, f.ScriptsCfg, f.ProxyConfig, f.ProxyUnit, f.Timer.Service, f.Timer.Timer, f.Timer.Cron, f.Certificate.Hook}, f.HAProxyFiles...)
	return slices.DeleteFunc(all, func(file atomicfile.File) bool { return file.Path == "" })
}

// files maps them by their path.
func (f Facts) files() map[string]atomicfile.File {
	out := map[string]atomicfile.File{}
	for _, file := range f.configFiles() {
		out[file.Path] = file
	}
	return out
}

// MaskedFile is a file as others than its administrator may see it.
type MaskedFile struct {
	Path  string
	Lines []string
}

// Masked are those files that there are.
func (f Facts) Masked() []MaskedFile {
	var out []MaskedFile
	for _, file := range f.configFiles() {
		if !file.Absent {
			out = append(out, MaskedFile{file.Path, redact.Lines(f.kindOf(file.Path), string(file.Data))})
		}
	}
	return out
}

func (f Facts) kindOf(path string) redact.Kind {
	if slices.ContainsFunc(f.HAProxyFiles, func(file atomicfile.File) bool { return file.Path == path }) {
		return redact.HAProxy
	}
	return redact.KindOf(path)
}
