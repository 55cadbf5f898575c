package flash

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"
)

// ErrBatch is wrapped by errors about a batch file: file, line or gateway, and the
// remedy stand in the message.
var ErrBatch = errors.New("batch file cannot be used")

// maxBoards bounds a batch.
const maxBoards = 1000

// Job is one card to be flashed.
type Job struct {
	Gateway string `toml:"gateway"`
	// Root is the root of the board's system.
	Root string `toml:"root"`
	// Binary is travelerd for this board, or the directory in which it lies; empty: it
	// is found by the board's architecture.
	Binary string `toml:"binary"`
}

// ReadBatch reads which cards are to be flashed, from a file like
//
//	[[board]]
//	gateway = "G-DRILL-1"
//	root    = "/media/cards/1"
//
// Relative paths start from the file's directory. The errors wrap ErrBatch.
func ReadBatch(file string) ([]Job, error) {
	text, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	jobs, err := parseBatch(file, text)
	if err != nil {
		return nil, err
	}
	for i := range jobs {
		for _, p := range []*string{&jobs[i].Root, &jobs[i].Binary} {
			if *p != "" && !filepath.IsAbs(*p) {
				*p = filepath.Join(filepath.Dir(file), *p)
			}
		}
	}
	return jobs, nil
}

// parseBatch reads the text of a batch file, strictly.
func parseBatch(name string, text []byte) ([]Job, error) {
	var doc struct {
		Boards []Job `toml:"board"`
	}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w: %s%w", ErrBatch, name, placed(err))
	}
	switch {
	case len(doc.Boards) == 0:
		return nil, fmt.Errorf("%w: %s has no [[board]]; write one for each card", ErrBatch, name)
	case len(doc.Boards) > maxBoards:
		return nil, fmt.Errorf("%w: %s has %d boards, a batch at most %d", ErrBatch, name, len(doc.Boards), maxBoards)
	}
	gateways, roots := make(map[string]bool), make(map[string]bool)
	for i, j := range doc.Boards {
		root := filepath.Clean(j.Root)
		switch {
		case j.Gateway == "":
			return nil, fmt.Errorf("%w: %s: board %d has no gateway; add gateway = \"NAME\"", ErrBatch, name, i+1)
		case j.Root == "":
			return nil, fmt.Errorf("%w: %s: board %d (%s) has no root; add root = \"DIR\", where its card is mounted", ErrBatch, name, i+1, j.Gateway)
		case gateways[j.Gateway]:
			return nil, fmt.Errorf("%w: %s: gateway %s stands twice; one card is one gateway", ErrBatch, name, j.Gateway)
		case roots[root]:
			return nil, fmt.Errorf("%w: %s: root %s stands twice; one card is one gateway", ErrBatch, name, j.Root)
		}
		gateways[j.Gateway], roots[root] = true, true
	}
	return doc.Boards, nil
}

// placed puts the line that TOML's errors know in front of their words.
func placed(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		line, column := e.Position()
		key := e.Key()
		return fmt.Errorf(":%d:%d: %q is no key of a [[board]]; they are gateway, root and binary", line, column, key[len(key)-1])
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, column := decode.Position()
		return fmt.Errorf(":%d:%d: %w", line, column, err)
	}
	return fmt.Errorf(": %w", err)
}
