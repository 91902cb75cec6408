package detect

import (
	"archive/zip"
	"context"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"bitgate/certs"
	"bitgate/internal/atomicfile"
	"bitgate/internal/hostport"
	"bitgate/setup"
	"bitgate/tomcat"
)

// readKeyStore looks at the key store of Bitbucket's own TLS, and at what it serves.
func (f *facts) readKeyStore(ctx context.Context, a setup.Answers, m *certs.Material) error {
	path := setup.KeyStorePath(f.Layout, a.URL)
	file, err := atomicfile.Read(path)
	if err != nil {
		return err
	}
	f.KeyStore = setup.KeyStore{Path: path, Digest: file.DigestOrAbsent()}
	listen := hostport.Addr{Port: a.URL.Port()}
	if len(a.Listen) > 0 {
		if listen, err = hostport.Listen(a.Listen[0]); err != nil {
			return nil //nolint:nilerr // judged by validate
		}
	}
	if _, store, password, ok := f.configuredStore(listen.Port); ok && store.Value == path && !file.Absent && m != nil {
		f.KeyStore.Current = m.InPKCS12(file.Data, password)
	}
	clear(file.Data)
	if leaf, err := certs.Served(ctx, listen.Local().String(), a.URL.Host()); err == nil {
		f.Served = certs.Fingerprint(leaf)
	}
	return nil
}

// configuredStore is the key store of the connector on port (0: of the first that has
// one) and the file that names it.
func (f *facts) configuredStore(port int) (in string, store tomcat.Found, password string, ok bool) {
	if f.Layout.UsesProperties() {
		store, password, ok = tomcat.KeyStore(f.Properties.Path, f.Properties.Data, port)
		return f.Properties.Path, store, password, ok
	}
	if f.Tree != nil {
		store, password, ok = f.Tree.KeyStore(port)
	}
	return f.ServerXML.Path, store, password, ok
}

// tomcatVersion is the major version of the Tomcat in an installation of Stash to
// Bitbucket 4.x, 0 where it cannot be told.
func tomcatVersion(dir string) int {
	if dir == "" {
		return 0
	}
	jar, err := zip.OpenReader(filepath.Join(dir, "lib", "catalina.jar"))
	if err != nil {
		return 0
	}
	defer jar.Close()
	info, err := jar.Open("org/apache/catalina/util/ServerInfo.properties")
	if err != nil {
		return 0
	}
	defer info.Close()
	data, err := io.ReadAll(io.LimitReader(info, 1<<16))
	if err != nil {
		return 0
	}
	props, err := tomcat.ParseProperties("ServerInfo.properties", data)
	if err != nil {
		return 0
	}
	number, _ := props.Get("server.number")
	major, _, _ := strings.Cut(number.Value, ".")
	n, _ := strconv.Atoi(major)
	return n
}
