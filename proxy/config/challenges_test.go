package config

import (
	"strings"
	"testing"
)

const thumb = "5tmkb192oHoGsukptaXs6w6G6ApfJmZh5FLx1Yofg1I"

func TestChallengeKeys(t *testing.T) {
	const base = "url: https://git.example.com\nupstream: http://127.0.0.1:7990\npem: /p\nmaxconn: 50\n"
	for text, wrong := range map[string]string{
		"acme-thumbprint: " + thumb: "",
		"acme-thumbprint: " + thumb + "\nredirect-listen: [':80']\nacme-only: true": "",
		"acme-challenges: /var/lib/acme":                                            "",
		"acme-thumbprint: short":                                                    "line 5: acme-thumbprint",
		"acme-thumbprint: '" + thumb[:42] + "!'":                                    "acme-thumbprint",
		"acme-only: true":                                                           "line 5: acme-only",
		"acme-thumbprint: " + thumb + "\nacme-only: true":                           "acme-only",
		"acme-challenges: here":                                                     "acme-challenges",
	} {
		_, err := Parse("proxy.yaml", []byte(base+text+"\n"))
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzKeyAuthorization(f *testing.F) {
	for _, path := range []string{ChallengePath + strings.Repeat("a", 43), ChallengePath, "/", ChallengePath + "a\nb", ChallengePath + strings.Repeat("-", 256)} {
		f.Add("GET", path)
	}
	c := Config{Thumbprint: thumb}
	f.Fuzz(func(t *testing.T, method, path string) {
		answer, asked := c.KeyAuthorization(method, path)
		if !asked {
			return
		}
		token, ok := strings.CutSuffix(answer, "."+thumb)
		if !ok || path != ChallengePath+token || len(token) < 16 || len(token) > 256 || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			t.Errorf("%q %q: %q", method, path, answer)
		}
	})
}
