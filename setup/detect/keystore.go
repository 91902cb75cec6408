package detect

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

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
	if password, ok := f.keyStorePassword(path, listen.Port); ok && !file.Absent && m != nil {
		f.KeyStore.Current = m.InPKCS12(file.Data, password)
	}
	clear(file.Data)
	f.Served = servedLeaf(ctx, listen.Local().String(), a.URL.Host())
	return nil
}

// keyStorePassword is what the connector opens the key store at path with.
func (f *facts) keyStorePassword(path string, port int) (string, bool) {
	config := f.Properties
	if !f.Layout.UsesProperties() {
		config = f.ServerXML
	}
	store, password, ok := tomcat.KeyStore(config.Path, config.Data, port)
	return password, ok && store.Value == path
}

// servedLeaf is the SHA-256 of the certificate that answers at address, "" where none
// does. Whether clients trust it is verify's question.
func servedLeaf(ctx context.Context, address, host string) string {
	ctx, done := context.WithTimeout(ctx, 3*time.Second)
	defer done()
	d := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{ServerName: host, InsecureSkipVerify: true}} //nolint:gosec // it is looked at, nothing is sent
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return ""
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
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
