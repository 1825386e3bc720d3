// The KV service: values in memory and, when a directory is given, in one file
// for each key.
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-plugin/examples/grpc/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type store struct {
	proto.UnimplementedKVServer

	dir     string // empty: memory only
	printed int    // bytes written to stdout during each Put

	mu     sync.Mutex
	values map[string][]byte
}

func newStore(dir string, printed int) (*store, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return &store{dir: dir, printed: printed, values: make(map[string][]byte)}, nil
}

// Get returns NotFound for a key without a value. It finds values that an
// earlier process left in the directory.
func (s *store) Get(_ context.Context, req *proto.GetRequest) (*proto.GetResponse, error) {
	if req.Key == "" {
		return nil, errEmptyKey
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, ok := s.values[req.Key]; ok {
		return &proto.GetResponse{Value: value}, nil
	}
	if s.dir == "" {
		return nil, status.Error(codes.NotFound, "no such key")
	}
	value, err := os.ReadFile(s.path(req.Key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, status.Error(codes.NotFound, "no such key")
	}
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	s.values[req.Key] = value
	return &proto.GetResponse{Value: value}, nil
}

// Put stores the value. os.Stdout is read at call time, because go-plugin
// replaces it when serving starts.
func (s *store) Put(_ context.Context, req *proto.PutRequest) (*proto.Empty, error) {
	if req.Key == "" {
		return nil, errEmptyKey
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.printed > 0 {
		if _, err := os.Stdout.Write(bytes.Repeat([]byte("#"), s.printed)); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	if s.dir != "" {
		if err := os.WriteFile(s.path(req.Key), req.Value, 0o600); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	s.values[req.Key] = req.Value
	return &proto.Empty{}, nil
}

func (s *store) path(key string) string {
	return filepath.Join(s.dir, hex.EncodeToString([]byte(key)))
}

var errEmptyKey = status.Error(codes.InvalidArgument, "empty key")
