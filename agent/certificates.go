package agent

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"traveler.example/agent/mqtt"
	profiles "traveler.example/firmware-profiles"
)

// ErrCertificate is wrapped by errors about files of TLS: the file, what is wrong
// with it and the remedy stand in the message.
var ErrCertificate = errors.New("certificate cannot be used")

// errExpired: a certificate on this side has expired.
var errExpired = errors.New("expired")

// Certificates is what TLS to brokers rests on: who vouches for them, and what
// this gateway shows.
type Certificates struct {
	roots *x509.CertPool
	own   []tls.Certificate // none or one
	held  []heldCertificate
	key   []byte // of all that is in it, to tell whether something changed
}

// heldCertificate is a certificate in a file, with what people call it.
type heldCertificate struct {
	what, file string
	*x509.Certificate
}

// The words for certificates.
const (
	whatCA    = "the CA's certificate"
	whatBoard = "this gateway's certificate"
)

// maxCertificates bounds a file of certificates, in bytes.
const maxCertificates = 256 << 10

// LoadCertificates reads the files that a profile names for TLS. It returns nil
// if it names none. Whether they hold at this time is not judged here. The errors
// wrap ErrCertificate.
func LoadCertificates(b profiles.Broker) (*Certificates, error) {
	if b.CAFile == "" {
		return nil, nil
	}
	c := &Certificates{roots: x509.NewCertPool()}
	authorities, err := c.read(whatCA, b.CAFile)
	if err != nil {
		return nil, err
	}
	for _, a := range authorities {
		if !a.IsCA {
			return nil, fmt.Errorf("%w: %s: %s is no certificate of an authority; remedy: copy the CA's certificate here", ErrCertificate, b.CAFile, a.Subject)
		}
		c.roots.AddCert(a)
	}
	if b.CertificateFile == "" {
		return c, nil
	}
	chain, err := c.read(whatBoard, b.CertificateFile)
	if err != nil {
		return nil, err
	}
	key, err := readPrivate("key", b.CertificateKeyFile, 0o077, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	defer clear(key)
	var text []byte
	for _, x := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: x.Raw})...)
	}
	own, err := tls.X509KeyPair(text, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %s with %s: %w; remedy: both must come from one issue", ErrCertificate, b.CertificateFile, b.CertificateKeyFile, err)
	}
	c.own = []tls.Certificate{own}
	c.key = append(c.key, key...)
	return c, nil
}

// read takes the certificates of a file.
func (c *Certificates) read(what, file string) ([]*x509.Certificate, error) {
	text, err := readBounded(file, maxCertificates)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	found, err := parseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCertificate, file, err)
	}
	for _, x := range found {
		c.held = append(c.held, heldCertificate{what, file, x})
		c.key = append(c.key, x.Raw...)
	}
	return found, nil
}

const pemCertificate = "CERTIFICATE"

// parseCertificates reads certificates in PEM (RFC 7468), and nothing but them.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for rest := text; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != pemCertificate {
			return nil, fmt.Errorf("a PEM block %.40q is in it; only certificates belong there", block.Type)
		}
		x, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found = append(found, x)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no PEM block %q in it", pemCertificate)
	}
	return found, nil
}

// tls is the configuration for connections in either direction. now is the time
// at which certificates are judged.
func (c *Certificates) tls(now func() time.Time) *tls.Config {
	return &tls.Config{
		Certificates: c.own, RootCAs: c.roots, ClientCAs: c.roots, Time: now, MinVersion: tls.VersionTLS12,
	}
}

// issued is the latest time at which one of the certificates began to hold: it
// is later than that by now, whatever the clock says.
func (c *Certificates) issued() time.Time {
	var latest time.Time
	for _, h := range c.held {
		if h.NotBefore.After(latest) {
			latest = h.NotBefore
		}
	}
	return latest
}

// CertificateState is a certificate of a gateway and until when it holds.
type CertificateState struct {
	What    string `json:"what"` // in words
	File    string `json:"file"`
	Subject string `json:"subject"`
	Until   int64  `json:"until_ms"` // ms since 1970 UTC
	Days    int64  `json:"days"`     // whole days left; negative: since it expired
	State   string `json:"state"`    // valid, expiring, expired
}

// The states of a certificate.
const (
	CertificateValid    = "valid"
	CertificateExpiring = "expiring" // within warnedAhead
	CertificateExpired  = "expired"
)

// How long before a certificate expires people are told: from the first on once
// a start and once more when the second is reached, from then on every day.
const (
	warnedAhead = 30 * 24 * time.Hour
	warnedDaily = 7 * 24 * time.Hour
)

// stateOfCertificate judges a certificate at now.
func stateOfCertificate(what, file string, x *x509.Certificate, now time.Time) CertificateState {
	left := x.NotAfter.Sub(now)
	s := CertificateState{
		What: what, File: file, Subject: x.Subject.CommonName, Until: x.NotAfter.UnixMilli(),
		Days: int64(left / (24 * time.Hour)), State: CertificateValid,
	}
	switch {
	case left < 0:
		s.Days, s.State = min(s.Days, -1), CertificateExpired
	case left <= warnedAhead:
		s.State = CertificateExpiring
	}
	return s
}

// states judges all certificates at now.
func (c *Certificates) states(now time.Time) []CertificateState {
	if c == nil {
		return nil
	}
	var all []CertificateState
	for _, h := range c.held {
		all = append(all, stateOfCertificate(h.what, h.file, h.Certificate, now))
	}
	return all
}

// allowed refuses connections while a certificate that the other side would not
// take has expired at now.
func (c *Certificates) allowed(now time.Time) error {
	for _, s := range c.states(now) {
		if s.State == CertificateExpired {
			return fmt.Errorf("%w: %w: %s", mqtt.ErrUntrusted, errExpired, s.words())
		}
	}
	return nil
}

// words says how it stands with a certificate, and what to do.
func (s CertificateState) words() string {
	day := time.UnixMilli(s.Until).UTC().Format(time.DateOnly)
	switch s.State {
	case CertificateExpired:
		return fmt.Sprintf("%s (%s) has expired on %s; %s", s.What, s.File, day, renewRemedy)
	case CertificateExpiring:
		return fmt.Sprintf("%s (%s) expires on %s, in %d days; %s", s.What, s.File, day, s.Days, renewRemedy)
	}
	return fmt.Sprintf("%s (%s) holds until %s", s.What, s.File, day)
}

const renewRemedy = "remedy: traveler network certificates renew, copy the new files here, systemctl reload travelerd"

// States judges all certificates at now, those of the authorities first.
func (c *Certificates) States(now time.Time) []CertificateState { return c.states(now) }

// Client is the configuration for connections to brokers. now is the time at which
// certificates are judged.
func (c *Certificates) Client(now func() time.Time) *tls.Config { return c.tls(now) }
