package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"traveler.example/drivers"
	"traveler.example/drivers/llrp"
	profiles "traveler.example/firmware-profiles"
)

// portalSettings are the readers that one connection to a portal serves. They are
// fitted together: where one of them changes, the inventory of all does.
type portalSettings []profiles.Reader

func (s portalSettings) names() (names []string) {
	for _, r := range s {
		names = append(names, r.Name)
	}
	return names
}

// portalReader returns a reader of a portal, which is fitted with the first of
// its readers.
func (b *builder) portalReader(r profiles.Reader) (drivers.Reader, error) {
	settings := portalSettings(slices.DeleteFunc(slices.Clone(b.p.Readers), func(o profiles.Reader) bool {
		return o.Device != r.Device || o.Port != r.Port
	}))
	x := b.made.made(settings)
	if x == nil {
		var err error
		x, err = b.fitted("portal "+r.Port, settings, func(x *fitting) error { return openPortal(x, settings) })
		if err != nil {
			return nil, err
		}
	}
	i := slices.Index(settings.names(), r.Name)
	return x.part.(*llrp.Portal).Readers()[i], nil
}

func openPortal(x *fitting, settings portalSettings) error {
	first := settings[0]
	network := llrp.Network{Address: first.Port}
	if first.CAFile != "" {
		authority, err := authorityOf(first.CAFile)
		if err != nil {
			return err
		}
		network.TLS = authority
	}
	portal, err := llrp.New(llrp.Config{
		Name: first.Port, Port: first.Port, Open: network.Open, Readers: antennas(settings), Takeover: first.Takeover,
	})
	if err != nil {
		return err
	}
	x.part, x.readers = portal, settings.names()
	x.run = func(ctx context.Context, events chan<- drivers.Event) error {
		return runAll(ctx, portal.Readers(), events)
	}
	return nil
}

func antennas(settings portalSettings) (readers []llrp.ReaderConfig) {
	for _, r := range settings {
		c := llrp.ReaderConfig{Name: r.Name, MinReads: r.MinReads, Dwell: r.Dwell, Absence: r.Hold}
		for _, a := range r.Antennas {
			c.Antennas = append(c.Antennas, llrp.Antenna{ID: uint16(a), Power: int(r.Power), Weakest: int8(r.MinRSSI / 100)})
		}
		readers = append(readers, c)
	}
	return readers
}

// authorityOf trusts the certificates of a file and no others.
func authorityOf(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file %s: there is no certificate (PEM) in it", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// runAll runs the readers of a portal until ctx ends; one that cannot go on ends
// them all.
func runAll(ctx context.Context, readers []*llrp.Reader, events chan<- drivers.Event) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(readers))
	var running sync.WaitGroup
	for i, r := range readers {
		running.Go(func() {
			if errs[i] = r.Run(ctx, events); errs[i] != nil {
				cancel()
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
