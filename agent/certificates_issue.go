package agent

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"traveler.example/ledger"
)

// The names of TLS' files in a network's directory: the authority in
// CertificatesName, what each broker's machine needs in a directory of its own
// below that, and what a gateway needs beside its key.
const (
	CertificatesName = "certificates"
	CACertName       = "ca.crt"
	CAKeyName        = "ca.key"
	BrokersName      = "brokers"
	ServerCertName   = "server.crt"
	ServerKeyName    = "server.key"
	BoardCertName    = "board.crt"
	BoardCertKeyName = "board.key"
)

// How long new certificates hold, where nobody says.
const (
	CALifetime          = 20 * 365 * 24 * time.Hour
	CertificateLifetime = 2 * 365 * 24 * time.Hour
)

// Authority is the network's own CA: it vouches for brokers and gateways to each
// other, and for nobody else.
type Authority struct {
	network *Network
	cert    *x509.Certificate
	key     crypto.Signer
}

// HasAuthority reports whether the network has a CA of its own.
func (n *Network) HasAuthority() bool { return exists(n.certificates(CACertName)) }

func (n *Network) certificates(parts ...string) string {
	return filepath.Join(append([]string{n.Dir, CertificatesName}, parts...)...)
}

// FoundAuthority makes the network's CA, which holds from at on for lifetime (0:
// CALifetime). The error wraps fs.ErrExist if there is one: a new one would make
// all that the old one issued worthless.
func (n *Network) FoundAuthority(at time.Time, lifetime time.Duration, form KeyForm) (*Authority, error) {
	if n.HasAuthority() {
		return nil, fmt.Errorf("founding the CA: %s: %w", n.certificates(CACertName), fs.ErrExist)
	}
	key, err := NewKey(KeyEd25519, nil)
	if err != nil {
		return nil, err
	}
	if lifetime == 0 {
		lifetime = CALifetime
	}
	cert, err := selfSigned(n.Genesis.Name, at, lifetime, key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(n.certificates(), 0o755); err != nil {
		return nil, fmt.Errorf("founding the CA: %w", err)
	}
	if err := form.save(newKeyFile{n.certificates(CAKeyName), key}); err != nil {
		return nil, err
	}
	if err := writeNew(n.certificates(CACertName), certificateText(cert), 0o644); err != nil {
		return nil, errors.Join(err, os.Remove(n.certificates(CAKeyName)))
	}
	return &Authority{network: n, cert: cert, key: key}, nil
}

func selfSigned(network string, at time.Time, lifetime time.Duration, key crypto.Signer) (*x509.Certificate, error) {
	template, err := newTemplate(pkix.Name{CommonName: "Traveler CA of " + network})
	if err != nil {
		return nil, err
	}
	// A clock that is a little behind must not find it too young.
	template.NotBefore, template.NotAfter = at.Add(-24*time.Hour), at.Add(lifetime)
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return signCertificate(template, template, key.Public(), key)
}

func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	return &x509.Certificate{SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: subject}, nil
}

func signCertificate(template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", template.Subject, err)
	}
	return x509.ParseCertificate(der)
}

func certificateText(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: c.Raw})
}

// OpenAuthority reads the network's CA; its key is asked for as every other. The
// error wraps fs.ErrNotExist if there is none.
func (n *Network) OpenAuthority() (*Authority, error) {
	text, err := readBounded(n.certificates(CACertName), maxCertificates)
	if err != nil {
		return nil, fmt.Errorf("opening the network's CA: %w", err)
	}
	found, err := parseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCertificate, n.certificates(CACertName), err)
	}
	key, err := LoadKey(n.certificates(CAKeyName), n.Unlock)
	if err != nil {
		return nil, err
	}
	return &Authority{network: n, cert: found[0], key: key}, nil
}

// issue makes a key and a certificate for it in dir, beside the CA's, or only a
// new certificate for the key that is there.
func (a *Authority) issue(dir, certName, keyName string, template *x509.Certificate, at time.Time, lifetime time.Duration) error {
	if lifetime == 0 {
		lifetime = CertificateLifetime
	}
	// As old as the CA: a board whose clock is behind knows the CA's time at least.
	template.NotBefore, template.NotAfter = a.cert.NotBefore, at.Add(lifetime)
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	template.KeyUsage, template.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	key, err := LoadKey(filepath.Join(dir, keyName), nil)
	if errors.Is(err, fs.ErrNotExist) {
		if key, err = NewKey(KeyEd25519, nil); err == nil {
			err = SaveKey(filepath.Join(dir, keyName), key, Protection{}) // nobody is there when a board or broker starts
		}
	}
	if err != nil {
		return err
	}
	cert, err := signCertificate(template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(dir, CACertName), certificateText(a.cert), 0o644); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, certName), certificateText(cert), 0o644)
}

// IssueGateway makes the certificate of an enrolled gateway, or a new one for the
// key that it has, and puts it with the CA's into the gateway's directory. It
// bears the gateway's key id, by which a broker's access list knows it. hosts are
// names and addresses of a broker that the gateway serves itself, none if it
// serves none. lifetime 0 is CertificateLifetime, and never beyond the CA's.
func (a *Authority) IssueGateway(name string, at time.Time, lifetime time.Duration, hosts ...string) error {
	id, err := a.network.gatewayKey(name)
	if err != nil {
		return err
	}
	template, err := newTemplate(pkix.Name{CommonName: id.String(), OrganizationalUnit: []string{name}, Organization: []string{a.network.Genesis.Name}})
	if err != nil {
		return err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		addHosts(template, hosts)
	}
	return a.issue(a.network.Board(name), BoardCertName, BoardCertKeyName, template, at, lifetime)
}

// gatewayKey is the key id under which the roster has a gateway.
func (n *Network) gatewayKey(name string) (ledger.KeyID, error) {
	for _, i := range n.Register.Current().Identities() {
		if i.Name == name && i.Roles&ledger.RoleGateway != 0 && !i.Revoked {
			return i.ID, nil
		}
	}
	return ledger.KeyID{}, fmt.Errorf("gateway %s: %w: the roster has no such gateway in force", name, ErrNotFound)
}

// IssueBroker makes what the machine of a broker needs in a directory of its own:
// key, certificate for its hosts (names and addresses), the CA's certificate,
// configuration and access list for Mosquitto, which will find them in installed.
// Called again it keeps the key and replaces the rest.
func (a *Authority) IssueBroker(name string, hosts []string, installed string, port uint16, at time.Time, lifetime time.Duration) error {
	if err := CheckFileName(name); err != nil {
		return err
	}
	if len(hosts) == 0 {
		return fmt.Errorf("%w: broker %s has no host name or address by which gateways reach it", ErrName, name)
	}
	template, err := newTemplate(pkix.Name{CommonName: name, Organization: []string{a.network.Genesis.Name}})
	if err != nil {
		return err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	addHosts(template, hosts)
	dir := a.network.certificates(BrokersName, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("preparing broker %s: %w", name, err)
	}
	if err := a.issue(dir, ServerCertName, ServerKeyName, template, at, lifetime); err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(dir, AccessListName), AccessList(a.network.Genesis.Network()), 0o644); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, MosquittoName), MosquittoConfig{Dir: installed, Port: port}.Text(), 0o644)
}

func addHosts(c *x509.Certificate, hosts []string) {
	for _, h := range hosts {
		if ip := net.ParseIP(strings.Trim(h, "[]")); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
}

// hostsOf returns the names and addresses in a certificate.
func hostsOf(c *x509.Certificate) []string {
	hosts := c.DNSNames
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return hosts
}

// replaceFile writes a file whole in place of the one that may be there.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := writeNew(fresh, data, mode); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
