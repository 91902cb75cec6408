package bitbuckettest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// rest answers /rest/PLUGIN/VERSION/RESOURCE.
func (x *exchange) rest() {
	parts := strings.SplitN(strings.TrimPrefix(x.path, "/rest/"), "/", 3)
	if len(parts) < 3 {
		x.fail(http.StatusNotFound, "null for uri: "+x.path)
		return
	}
	s := x.i.srv
	switch plugin, resource := parts[0], parts[2]; {
	case plugin == "api" && resource == "application-properties":
		x.json(http.StatusOK, map[string]string{
			"version": s.gen.version, "buildNumber": s.buildNumber(), "buildDate": "1552971600000", "displayName": s.gen.product(),
		})
	case plugin == "applinks" && resource == "manifest":
		x.manifest()
	case plugin == "applinks" && (resource == "applicationlink" || resource == "listApplicationlinks"):
		x.applicationLinks(resource)
	case plugin == "ssh" && resource == "settings":
		x.sshSettings()
	case plugin == "tsv" && resource == "authenticate" && s.gen.jsonLogin():
		x.jsonLogin()
	case plugin == "confapi" && resource == "settings" && s.o.ConfAPI:
		x.confAPI()
	case plugin == "api" && resource == "admin/users/captcha" && x.r.Method == http.MethodDelete:
		if x.adminREST() {
			s.ClearCaptcha()
			x.w.WriteHeader(http.StatusNoContent)
		}
	case plugin == "api" && (resource == "repos" || resource == "projects/PROJ/repos"):
		x.repositories()
	case plugin == "api" && strings.EqualFold(resource, "projects/PROJ/repos/repo"):
		if x.mayRead() {
			x.json(http.StatusOK, x.repository())
		}
	default:
		x.fail(http.StatusNotFound, "null for uri: "+x.path)
	}
}

func (s *Server) buildNumber() string { return strconv.Itoa(s.gen.major*1000000 + s.gen.minor*1000) }

// manifest is what linked applications read. Assumption: that Bitbucket answers
// it to anonymous callers, and in which form, is known from other products only.
func (x *exchange) manifest() {
	s := x.i.srv
	if s.o.NoManifest {
		if s.gen.major >= 9 {
			x.fail(http.StatusUnauthorized, "Client must be authenticated to access this resource.")
			return
		}
		x.fail(http.StatusNotFound, "null for uri: "+x.path)
		return
	}
	m := struct {
		XMLName     xml.Name `xml:"manifest" json:"-"`
		ID          string   `xml:"id" json:"id"`
		Name        string   `xml:"name" json:"name"`
		TypeID      string   `xml:"typeId" json:"typeId"`
		Version     string   `xml:"version" json:"version"`
		BuildNumber string   `xml:"buildNumber" json:"buildNumber"`
		URL         string   `xml:"url" json:"url"`
		IconURL     string   `xml:"iconUrl" json:"iconUrl"`
		Public      bool     `xml:"publicSignup" json:"publicSignup"`
	}{
		ID: "6f3a2a4d-9f2c-3d35-a5a7-0c2b6d1c9a11", Name: s.Fields()["title"], TypeID: "stash", Version: s.gen.version,
		BuildNumber: s.buildNumber(), URL: s.BaseURL(), IconURL: s.BaseURL() + "/s/images/logo.png",
	}
	if strings.Contains(x.r.Header.Get("Accept"), "json") {
		x.json(http.StatusOK, m)
		return
	}
	data, err := xml.Marshal(m)
	if err != nil {
		x.fail(http.StatusInternalServerError, err.Error())
		return
	}
	x.w.Header().Set("Content-Type", "application/xml;charset=UTF-8")
	_, _ = x.w.Write(append([]byte(xml.Header), data...))
}

// applicationLinks lists the links, in the two spellings of the plugin.
func (x *exchange) applicationLinks(resource string) {
	if !x.adminREST() {
		return
	}
	linked := x.i.srv.o.AppLinks
	if linked == nil {
		linked = map[string]string{"Jira": "https://jira.example.com", "Bamboo": "https://bamboo.example.com/bamboo"}
	}
	plain, wrapped := []any{}, []any{}
	for n, name := range slices.Sorted(maps.Keys(linked)) {
		link := map[string]any{
			"id": fmt.Sprintf("1c2b3a4d-0000-3000-8000-%012d", n+1), "name": name, "typeId": strings.ToLower(name),
			"displayUrl": linked[name], "rpcUrl": linked[name], "isPrimary": true, "isSystem": false,
		}
		plain, wrapped = append(plain, link), append(wrapped, map[string]any{"application": link})
	}
	if resource == "applicationlink" {
		x.json(http.StatusOK, map[string]any{"applicationLinks": plain})
		return
	}
	x.json(http.StatusOK, map[string]any{"list": wrapped})
}

func (x *exchange) sshSettings() {
	if x.user == "" {
		x.fail(http.StatusUnauthorized, "You are not permitted to access this resource")
		return
	}
	f := x.i.srv.Fields()
	port, _ := strconv.Atoi(f["sshPort"]) // checked when it was stored
	x.json(http.StatusOK, map[string]any{
		"enabled": f["sshEnabled"] == "true", "port": port, "baseUrl": sshBase(f), "accessKeysEnabled": f["accessKeys"] == "true",
		"fingerprint": map[string]string{"algorithm": "SHA256", "value": x.i.ssh.fingerprint()},
	})
}

// sshBase is the address of SSH clone URLs: the setting, else the base URL's
// host with the port. The context path is never part of it.
func sshBase(f map[string]string) string {
	if v := strings.TrimRight(f["sshBaseURL"], "/"); v != "" {
		return v
	}
	host := "localhost"
	if u, err := url.Parse(f["baseURL"]); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	return "ssh://" + host + ":" + f["sshPort"]
}

// confAPI is the settings resource of the ConfAPI plugin; title and base URL
// are all it can change.
func (x *exchange) confAPI() {
	if !x.adminREST() {
		return
	}
	s := x.i.srv
	switch x.r.Method {
	case http.MethodGet:
	case http.MethodPut:
		var bean struct {
			BaseURL *string `json:"baseUrl"`
			Title   *string `json:"title"`
		}
		if err := json.NewDecoder(x.r.Body).Decode(&bean); err != nil {
			x.fail(http.StatusBadRequest, "The request body is not JSON")
			return
		}
		if bean.BaseURL != nil {
			s.SetField("baseURL", *bean.BaseURL)
		}
		if bean.Title != nil {
			s.SetField("title", *bean.Title)
		}
	default:
		x.fail(http.StatusMethodNotAllowed, "GET or PUT")
		return
	}
	f := s.Fields()
	x.json(http.StatusOK, map[string]string{"baseUrl": f["baseURL"], "title": f["title"]})
}
