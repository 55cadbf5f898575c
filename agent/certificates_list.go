package agent

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// IssuedCertificate is a certificate in a network's directory.
type IssuedCertificate struct {
	CertificateState
	Kind  string   `json:"kind"`            // ca, broker, gateway
	Name  string   `json:"name,omitempty"`  // of the broker or gateway
	Hosts []string `json:"hosts,omitempty"` // that a server's is for
}

// The kinds of certificates.
const (
	KindCA      = "ca"
	KindBroker  = "broker"
	KindGateway = "gateway"
)

// Certificates lists what the network's CA has issued, as its directory has it,
// judged at now. The error wraps fs.ErrNotExist if there is no CA.
func (n *Network) Certificates(now time.Time) ([]IssuedCertificate, error) {
	ca, err := n.issuedIn(KindCA, "", n.certificates(CACertName), now)
	if err != nil {
		return nil, err
	}
	all := []IssuedCertificate{ca}
	for _, where := range []struct{ kind, pattern string }{
		{KindBroker, n.certificates(BrokersName, "*", ServerCertName)},
		{KindGateway, filepath.Join(n.Dir, BoardsName, "*", BoardCertName)},
	} {
		files, err := filepath.Glob(where.pattern)
		if err != nil {
			return nil, fmt.Errorf("looking for certificates in %s: %w", n.Dir, err)
		}
		slices.Sort(files)
		for _, file := range files {
			c, err := n.issuedIn(where.kind, filepath.Base(filepath.Dir(file)), file, now)
			if err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

func (n *Network) issuedIn(kind, name, file string, now time.Time) (IssuedCertificate, error) {
	text, err := readBounded(file, maxCertificates)
	if err != nil {
		return IssuedCertificate{}, err
	}
	found, err := parseCertificates(text)
	if err != nil {
		return IssuedCertificate{}, fmt.Errorf("%w: %s: %w", ErrCertificate, file, err)
	}
	return IssuedCertificate{
		CertificateState: stateOfCertificate(kind+" "+name, file, found[0], now),
		Kind:             kind, Name: name, Hosts: hostsOf(found[0]),
	}, nil
}

// Renew issues new certificates for the keys that are there: of the brokers and
// gateways named, or, where none is named, of all that expire within 30 days. It
// returns which. Hosts, port and directory of a broker stay as they are.
func (a *Authority) Renew(at time.Time, lifetime time.Duration, names ...string) ([]IssuedCertificate, error) {
	all, err := a.network.Certificates(at)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c IssuedCertificate) bool { return c.Kind != KindCA && c.Name == name }) {
			return nil, fmt.Errorf("certificate of %s: %w: no broker or gateway of that name has one", name, ErrNotFound)
		}
	}
	var renewed []IssuedCertificate
	for _, c := range all {
		due := slices.Contains(names, c.Name) || len(names) == 0 && c.State != CertificateValid
		switch {
		case !due || c.Kind == KindCA:
			continue
		case c.Kind == KindGateway:
			err = a.IssueGateway(c.Name, at, lifetime, c.Hosts...)
		default:
			installed, port := readMosquitto(filepath.Join(filepath.Dir(c.File), MosquittoName))
			err = a.IssueBroker(c.Name, c.Hosts, installed, port, at, lifetime)
		}
		if err != nil {
			return renewed, err
		}
		now, err := a.network.issuedIn(c.Kind, c.Name, c.File, at)
		if err != nil {
			return renewed, err
		}
		renewed = append(renewed, now)
	}
	return renewed, nil
}
