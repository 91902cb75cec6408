package standin

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"net/http"
	"net/http/cgi"
	"strconv"
	"strings"
)

// What a page like Bitbucket's loads: beside the document, scripts and styles,
// pictures, and answers of the REST interface that its scripts ask for.
const (
	Assets   = 60
	Pictures = 40
	Calls    = 20
)

// Finished is the expression of the page that promises how long it took, in
// milliseconds from the start of the navigation until the last of all was there; 0
// until there is a promise.
const Finished = "window.finished || 0"

// Site serves such a page at /page, and below /scm/ the repositories of a folder by
// Git's own program.
func Site(repositories, gitBackend string) http.Handler {
	mux := http.NewServeMux()
	document := []byte(page())
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-cache, no-transform")
		serve(w, "text/html;charset=UTF-8", document)
	})
	const kept = "public, max-age=31536000, immutable"
	batch := func(kind string, size func(n int) int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", kept)
			serve(w, kind, append([]byte(text), bytes.Repeat([]byte(" "), size(number(r)))...))
		}
	}
	// 2 KB to 60 KB, as Bitbucket's batches are once they are compressed.
	mux.HandleFunc("/script/", batch("application/javascript", func(n int) int { return 2<<10 + n*977 }, "var loaded = (window.loaded || 0) + 1;"))
	mux.HandleFunc("/style/", batch("text/css", func(n int) int { return 2<<10 + n*577 }, "body { color: #172b4d }"))
	mux.HandleFunc("/picture/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", kept)
		serve(w, "image/png", avatar(16+number(r)/2))
	})
	mux.HandleFunc("/rest/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-cache, no-transform")
		serve(w, "application/json;charset=UTF-8", append([]byte(`{"values":[]`), append(bytes.Repeat([]byte(" "), 1<<10), '}')...))
	})
	mux.Handle("/scm/", &cgi.Handler{Path: gitBackend, Root: "/scm", Env: []string{"GIT_PROJECT_ROOT=" + repositories, "GIT_HTTP_EXPORT_ALL=1"}})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { serve(w, "text/plain", []byte("ok")) }) // a health check
	return mux
}

// number is that in a path.
func number(r *http.Request) int {
	n, _ := strconv.Atoi(strings.TrimFunc(r.URL.Path, func(c rune) bool { return c < '0' || c > '9' }))
	return n
}

// avatar is a picture of somebody, so many pixels wide, of 1 to 5 KB.
func avatar(width int) []byte {
	picture := image.NewNRGBA(image.Rect(0, 0, width, width))
	_, _ = rand.NewChaCha8([32]byte{byte(width)}).Read(picture.Pix)
	var out bytes.Buffer
	_ = png.Encode(&out, picture) // to memory
	return out.Bytes()
}

func serve(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that has gone is no concern of the page
}

func page() string {
	var out strings.Builder
	out.WriteString(`<!doctype html><html><head><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">`)
	for n := range Assets {
		if n%3 == 0 {
			fmt.Fprintf(&out, `<link rel="stylesheet" href="/style/%d.css">`, n)
		} else {
			fmt.Fprintf(&out, `<script src="/script/%d.js" defer></script>`, n)
		}
	}
	out.WriteString("</head><body>")
	for n := range Pictures {
		fmt.Fprintf(&out, `<img src="/picture/%d.png" alt="">`, n)
	}
	fmt.Fprintf(&out, `<script>
var shown = new Promise(function (done) { window.addEventListener("load", done) });
var asked = new Promise(function (done) { document.addEventListener("DOMContentLoaded", function () {
  var calls = [];
  for (var n = 0; n < %d; n++) calls.push(fetch("/rest/" + n, { cache: "no-store" }).then(function (a) { return a.json() }));
  Promise.all(calls).then(done);
}) });
window.finished = Promise.all([shown, asked]).then(function () { return performance.now() });
</script></body></html>`, Calls)
	return out.String()
}
