package bitbuckettest

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fromProperties reads server.* as Bitbucket 5.0 and later do.
func fromProperties(props map[string]string, shared string) (tomcatConfig, error) {
	var cfg tomcatConfig
	main, err := propConnector(props, "server.", 7990, shared)
	if err != nil {
		return cfg, err
	}
	main.proxyName = props["server.proxy-name"]
	if main.proxyPort, err = number(props, "server.proxy-port", 0); err != nil {
		return cfg, err
	}
	if main.redirectPort, err = number(props, "server.redirect-port", 443); err != nil {
		return cfg, err
	}
	main.native = strings.EqualFold(props["server.forward-headers-strategy"], "NATIVE")
	main.requireSSL = isTrue(props["server.require-ssl"])
	cfg.connectors = []connector{main}
	for n := 1; props[fmt.Sprintf("server.additional-connector.%d.port", n)] != ""; n++ {
		c, err := propConnector(props, fmt.Sprintf("server.additional-connector.%d.", n), 0, shared)
		if err != nil {
			return cfg, err
		}
		c.requireSSL, c.redirectPort = main.requireSSL, main.redirectPort
		cfg.connectors = append(cfg.connectors, c)
	}
	cfg.context = strings.TrimSpace(props["server.context-path"])
	if cfg.context == "/" {
		cfg.context = ""
	}
	if cfg.context != "" && (cfg.context[0] != '/' || strings.HasSuffix(cfg.context, "/")) {
		return cfg, fmt.Errorf("context path must start with '/' and not end with '/': %q", cfg.context)
	}
	return cfg, nil
}

func propConnector(props map[string]string, prefix string, port int, shared string) (c connector, err error) {
	c = connector{address: props[prefix+"address"], scheme: props[prefix+"scheme"], secure: isTrue(props[prefix+"secure"])}
	c.scheme = cmp.Or(c.scheme, "http")
	if c.store = fromSSL(props, prefix, shared); c.store.enabled { // Spring Boot says so of a connector with TLS
		c.scheme, c.secure = "https", true
	}
	c.port, err = number(props, prefix+"port", port)
	return c, err
}

func number(props map[string]string, key string, otherwise int) (int, error) {
	value := strings.TrimSpace(props[key])
	if value == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("failed to bind properties under '%s' to int: %q", key, value)
	}
	return n, nil
}

func isTrue(s string) bool { return strings.EqualFold(strings.TrimSpace(s), "true") }

// load reads the files of this generation, as a start does.
func (s *Server) load() (tomcatConfig, map[string]string, error) {
	data, err := os.ReadFile(s.propertiesPath())
	if err != nil && !os.IsNotExist(err) {
		return tomcatConfig{}, nil, err
	}
	props, err := readProperties(data)
	if err != nil {
		return tomcatConfig{}, nil, fmt.Errorf("%s: %w", s.propertiesPath(), err)
	}
	if !s.gen.usesXML() {
		cfg, err := fromProperties(props, s.sharedDir())
		return cfg, props, err
	}
	path := s.serverXMLPath()
	if data, err = os.ReadFile(path); err != nil {
		return tomcatConfig{}, nil, err
	}
	cfg, err := fromServerXML(data)
	if err != nil {
		return cfg, nil, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, props, nil
}

// refuseTwoPropertyFiles: from 4.0 on an instance does not start while the file
// of its Stash days lies beside its own.
func (s *Server) refuseTwoPropertyFiles() error {
	old := filepath.Join(s.sharedDir(), "stash-config.properties")
	if _, err := os.Stat(old); err == nil && !s.gen.stash() {
		return fmt.Errorf("both %s and %s exist", old, s.propertiesPath())
	}
	return nil
}
