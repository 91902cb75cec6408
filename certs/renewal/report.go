package renewal

import (
	"encoding/json"
	"strings"
	"time"
)

// Report is what everybody on the machine may know of the renewals of a host: the
// state itself is for root. Whoever renews puts it beside the bundle, where the proxy
// that serves that finds it.
type Report struct {
	Host     string    `json:"host"`
	Failures int       `json:"failures"` // attempts since the last success
	LastGood time.Time `json:"last-success,omitzero"`
}

// MaxReport is more than a report has, in bytes.
const MaxReport = 4 << 10

// ReportFile is where the report on the certificate of a bundle lies.
func ReportFile(bundle string) string { return strings.TrimSuffix(bundle, ".pem") + ".renewal.json" }

// Marshal is the report's file.
func (r Report) Marshal() ([]byte, error) {
	data, err := json.Marshal(r)
	return append(data, '\n'), err
}

// ParseReport reads one; nil for what is none.
func ParseReport(data []byte) *Report {
	var r Report
	if json.Unmarshal(data, &r) != nil || r.Host == "" {
		return nil
	}
	return &r
}
