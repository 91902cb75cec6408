package bitbuckettest

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	template "github.com/DataDog/datadog-agent/pkg/template/text"
)

//go:embed files/*.tmpl
var shipped embed.FS

var templates = sync.OnceValue(func() *template.Template { return template.Must(template.ParseFS(shipped, "files/*.tmpl")) })

// shippedValues fill the templates of the files.
type shippedValues struct {
	Product, Lower, Version, Env string
	Home, Context                string
	Port, ShutdownPort, SSHPort  int
	Properties, NoWebSudo        bool
}

func (s *Server) values() shippedValues {
	v := shippedValues{
		Product: s.gen.product(), Lower: s.gen.lower(), Version: s.gen.version, Env: "BITBUCKET",
		Home: s.Home(), Context: s.o.Context, Port: s.o.Port, ShutdownPort: 8006, SSHPort: s.o.SSHPort,
		Properties: !s.gen.usesXML(), NoWebSudo: s.o.NoWebSudo && s.gen.hasWebSudo(),
	}
	if s.gen.stash() {
		v.Env = "STASH"
	}
	if v.SSHPort < 0 {
		v.SSHPort = 7999
	}
	return v
}

// Home is the home directory, as Bitbucket's scripts name it.
func (s *Server) Home() string { return filepath.Join(s.dir, "home") }

// InstallDir is the install directory.
func (s *Server) InstallDir() string { return filepath.Join(s.dir, "install") }

func (s *Server) sharedDir() string {
	if s.o.Shared != "" {
		return s.o.Shared
	}
	if s.gen.sharedHome() {
		return filepath.Join(s.Home(), "shared")
	}
	return s.Home()
}

func (s *Server) propertiesPath() string {
	return filepath.Join(s.sharedDir(), s.gen.propertiesName())
}

// serverXMLPath is the server.xml that a start reads: the one in the home where
// the generation knows it and it exists, else the one of the install directory.
func (s *Server) serverXMLPath() string {
	shared := filepath.Join(s.sharedDir(), "server.xml")
	if s.gen.sharedXML() {
		if _, err := os.Stat(shared); err == nil {
			return shared
		}
	}
	return filepath.Join(s.InstallDir(), "conf", "server.xml")
}

// LogFile is the application log.
func (s *Server) LogFile() string {
	return filepath.Join(s.Home(), "log", "atlassian-"+s.gen.lower()+".log")
}

// layOut writes both directories as an installer leaves them. Files that exist
// already stay as they are.
func (s *Server) layOut() error {
	v := s.values()
	for _, dir := range []string{"bin", "caches", "export", "lib", "log", "tmp"} {
		if err := os.MkdirAll(filepath.Join(s.Home(), dir), 0o750); err != nil {
			return err
		}
	}
	for _, dir := range []string{"config", "data", "plugins"} {
		if err := os.MkdirAll(filepath.Join(s.sharedDir(), dir), 0o750); err != nil {
			return err
		}
	}
	if err := write(s.propertiesPath(), 0o600, "properties.tmpl", v); err != nil {
		return err
	}
	if s.gen.usesXML() {
		return s.layOutTomcat(v)
	}
	return s.layOutLauncher(v)
}

// layOutTomcat: up to 4.x the install directory is a Tomcat.
func (s *Server) layOutTomcat(v shippedValues) error {
	install := s.InstallDir()
	app := filepath.Join(install, "atlassian-"+v.Lower)
	if err := os.MkdirAll(filepath.Join(app, "WEB-INF"), 0o755); err != nil {
		return err
	}
	inInstall := v
	if s.gen.sharedXML() {
		if err := write(filepath.Join(s.sharedDir(), "server.xml"), 0o640, "server.xml.tmpl", v); err != nil {
			return err
		}
		inInstall.Port, inInstall.Context = 7990, ""
	}
	home := "setenv.sh"
	if s.gen.atLeast(4, 6) {
		home = "set-bitbucket-home.sh"
		if err := write(filepath.Join(install, "bin", "setenv.sh"), 0o755, "start.sh.tmpl", v); err != nil {
			return err
		}
	}
	return errors.Join(
		write(filepath.Join(app, "META-INF", "MANIFEST.MF"), 0o644, "manifest.tmpl", v),
		write(filepath.Join(install, "conf", "server.xml"), 0o644, "server.xml.tmpl", inInstall),
		write(filepath.Join(install, "conf", "scripts.cfg"), 0o644, "scripts.cfg.tmpl", v),
		write(filepath.Join(install, "bin", home), 0o755, "set-home.sh.tmpl", v),
		write(filepath.Join(install, "bin", "catalina.sh"), 0o755, "start.sh.tmpl", v),
		write(filepath.Join(install, "bin", "start-"+v.Lower+".sh"), 0o755, "start.sh.tmpl", v),
		s.layOutSearch())
}

// layOutLauncher: from 5.0 on it is a launcher and an exploded application.
func (s *Server) layOutLauncher(v shippedValues) error {
	install := s.InstallDir()
	if err := os.MkdirAll(filepath.Join(install, "app", "WEB-INF"), 0o755); err != nil {
		return err
	}
	errs := []error{
		write(filepath.Join(install, "app", "META-INF", "MANIFEST.MF"), 0o644, "manifest.tmpl", v),
		write(filepath.Join(install, "bin", "set-bitbucket-home.sh"), 0o755, "set-home.sh.tmpl", v),
	}
	for _, script := range []string{"_start-webapp.sh", "start-bitbucket.sh", "stop-bitbucket.sh", "set-bitbucket-user.sh"} {
		errs = append(errs, write(filepath.Join(install, "bin", script), 0o755, "start.sh.tmpl", v))
	}
	return errors.Join(append(errs, s.layOutSearch())...)
}

func (s *Server) layOutSearch() error {
	if s.gen.search() == "" {
		return nil
	}
	return os.MkdirAll(filepath.Join(s.InstallDir(), s.gen.search()), 0o755)
}

// write renders a template into a new file; an existing file is left alone.
func write(path string, mode fs.FileMode, name string, v shippedValues) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, v); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, b.Bytes(), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode) // whatever the umask
}
