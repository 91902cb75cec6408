package tomcat

// StorePasswords are the passwords that the configuration has for the key stores of
// Bitbucket's own connectors and the keys in them: those of the properties file and of
// server.xml, either of which may be empty. What cannot be read has none.
func StorePasswords(properties string, propertiesData []byte, serverXML string, xmlData []byte) [][]byte {
	var all [][]byte
	add := func(text string, ok bool) {
		if ok && text != "" {
			all = append(all, []byte(text))
		}
	}
	if p, err := ParseProperties(properties, propertiesData); err == nil {
		for _, key := range []string{sslStorePass, sslKeyPass} {
			v, ok := p.Get(key)
			add(v.Value, ok)
		}
	}
	if s, err := ParseServerXML(serverXML, xmlData); len(xmlData) > 0 && err == nil {
		for _, i := range s.connectors() {
			for _, name := range []string{"keystorePass", "keyPass"} {
				add(s.value(i, name))
			}
			if s.nests(i) {
				add(s.value(i+2, "certificateKeystorePassword"))
				add(s.value(i+2, "certificateKeyPassword"))
			}
		}
	}
	return all
}
