package bitbuckettest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// serverXML is the part of Tomcat's server.xml that matters here. encoding/xml
// skips comments, and with them the look-alike elements in them.
type serverXML struct {
	XMLName  xml.Name `xml:"Server"`
	Services []struct {
		Connectors []struct {
			Attrs []xml.Attr `xml:",any,attr"`
		} `xml:"Connector"`
		Engine struct {
			Hosts []struct {
				Contexts []xmlContext `xml:"Context"`
			} `xml:"Host"`
		} `xml:"Engine"`
	} `xml:"Service"`
}

type xmlContext struct {
	DocBase string `xml:"docBase,attr"`
	Path    string `xml:"path,attr"`
}

// fromServerXML reads connectors and context path as Tomcat 8 does.
func fromServerXML(data []byte) (tomcatConfig, error) {
	var cfg tomcatConfig
	if err := wellFormed(data); err != nil {
		return cfg, fmt.Errorf("unable to load server configuration: %w", err)
	}
	var doc serverXML
	if err := newDecoder(data).Decode(&doc); err != nil {
		return cfg, fmt.Errorf("unable to load server configuration: %w", err)
	}
	var contexts []xmlContext
	for _, service := range doc.Services {
		for _, element := range service.Connectors {
			c, skip, err := xmlConnector(element.Attrs)
			if err != nil {
				return cfg, err
			}
			if !skip {
				cfg.connectors = append(cfg.connectors, c)
			}
		}
		for _, host := range service.Engine.Hosts {
			contexts = append(contexts, host.Contexts...)
		}
	}
	if len(cfg.connectors) == 0 {
		return cfg, errors.New("unable to load server configuration: no HTTP connector")
	}
	for _, c := range contexts {
		if strings.Contains(c.DocBase, "/atlassian-") || len(contexts) == 1 {
			cfg.setTomcatContext(c.Path)
		}
	}
	return cfg, nil
}

func newDecoder(data []byte) *xml.Decoder {
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if !strings.EqualFold(label, "ISO-8859-1") && !strings.EqualFold(label, "US-ASCII") {
			return nil, fmt.Errorf("unsupported encoding %q", label)
		}
		rest, err := io.ReadAll(in)
		return strings.NewReader(latin1(rest)), err
	}
	return dec
}

// wellFormed refuses what Tomcat's parser refuses and encoding/xml lets pass:
// an attribute given twice, and anything after the root element.
func wellFormed(data []byte) error {
	dec := newDecoder(data)
	depth, roots := 0, 0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := dec.InputPos()
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			seen := map[xml.Name]bool{}
			for _, a := range t.Attr {
				if seen[a.Name] {
					return fmt.Errorf("line %d: attribute %q was already specified for element %q", line, a.Name.Local, t.Name.Local)
				}
				seen[a.Name] = true
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && strings.Trim(string(t), " \t\r\n\ufeff") != "" {
				return fmt.Errorf("line %d: content is not allowed outside the root element", line)
			}
		}
		if roots > 1 {
			return fmt.Errorf("line %d: the document has more than one root element", line)
		}
	}
}

// xmlConnector reads one Connector; AJP connectors are skipped.
func xmlConnector(attrs []xml.Attr) (c connector, skip bool, err error) {
	c = connector{scheme: "http", redirectPort: 443, store: keyStore{kind: "JKS", password: "changeit", keyPass: "changeit"}}
	for _, a := range attrs {
		value := strings.TrimSpace(a.Value)
		switch a.Name.Local {
		case "port":
			c.port, err = strconv.Atoi(value)
		case "address":
			c.address = value
		case "scheme":
			c.scheme = value
		case "secure":
			c.secure = isTrue(value)
		case "proxyName":
			c.proxyName = value
		case "proxyPort":
			c.proxyPort, err = strconv.Atoi(value)
		case "redirectPort":
			c.redirectPort, err = strconv.Atoi(value)
		case "protocol":
			skip = skip || strings.HasPrefix(strings.ToUpper(value), "AJP")
		case "SSLEnabled":
			c.store.enabled = isTrue(value)
		case "keystoreFile":
			c.store.path = value
		case "keystoreType":
			c.store.kind = value
		case "keystorePass":
			c.store.password = value
		case "keyPass":
			c.store.keyPass = value
		case "keyAlias":
			c.store.alias = value
		}
		if err != nil {
			return c, false, fmt.Errorf("attribute %s of the connector: %w", a.Name.Local, err)
		}
	}
	return c, skip, nil
}

// setTomcatContext mends a wrong path as StandardContext.setPath does, with a warning.
func (cfg *tomcatConfig) setTomcatContext(path string) {
	mended := path
	if path == "/" {
		mended = ""
	} else if path != "" {
		mended = "/" + strings.Trim(path, "/")
	}
	if mended != path {
		cfg.warnings = append(cfg.warnings, fmt.Sprintf("A context path must either be an empty string or start with a '/' and do not end with a '/'. The path [%s] does not meet these criteria and has been changed to [%s]", path, mended))
	}
	cfg.context = mended
}
