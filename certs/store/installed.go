package store

// The certificate that is in force for a host lies under one name, so that setup and
// cert deploy find the new one where the old one was.
const installed = "bundle.pem"

// Install keeps a bundle as the newest generation of host and puts it in force. It
// returns where the front's setup is to find it (--pem).
func (s Store) Install(host string, bundle []byte) (path string, err error) {
	name, err := fileName(host)
	if err != nil {
		return "", err
	}
	if _, err := s.Add(host, bundle); err != nil {
		return "", err
	}
	return s.path("names", name, installed), s.write(bundle, "names", name, installed)
}

// KeepChain keeps intermediate certificates that were fetched for host, and returns
// where setup is to find them (--chain).
func (s Store) KeepChain(host string, pem []byte) (path string, err error) {
	name, err := fileName(host)
	if err != nil {
		return "", err
	}
	return s.path("names", name, "chain.pem"), s.write(pem, "names", name, "chain.pem")
}

// Installed is where the bundle of host lies that is in force, "" where there is none.
func (s Store) Installed(host string) (string, error) {
	name, err := fileName(host)
	if err != nil {
		return "", err
	}
	data, err := s.read("names", name, installed)
	if data == nil || err != nil {
		return "", err
	}
	clear(data)
	return s.path("names", name, installed), nil
}
