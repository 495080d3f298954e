#!/usr/bin/env bash
# Builds (once) and starts a real Kubernetes control plane on loopback: etcd, kube-apiserver,
# kube-controller-manager, kube-scheduler, plus kwok (simulated nodes with nvidia.com/gpu).
# Prints KUBECONFIG=<path> last. Stop with down.sh. `up.sh build` only builds.
# A cold build takes about 9 minutes on 2 cores (once per machine), a start 10 s, memory 0.6 GB.
# Pods are simulated: nothing in a container runs. Set GPU_NODES, GPUS, CPU_NODES, GPU_TAINT=1,
# GPU_SHARING=time-slicing (the label of NVIDIA's GPU feature discovery), K8S_HOME to taste.
set -euo pipefail
S=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
H=${K8S_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/graft-kube}
KV=v1.36.3 SV=v0.36.3 ETCDV=v3.6.8 KWOKV=v0.8.0 KUSTV=v5.8.1
GPU_NODES=${GPU_NODES:-2} GPUS=${GPUS:-4} CPU_NODES=${CPU_NODES:-0} GPU_TAINT=${GPU_TAINT:-0} GPU_SHARING=${GPU_SHARING:-none}
P_ETCD=${P_ETCD:-12379} P_PEER=${P_PEER:-12380} P_API=${P_API:-16443} P_KCM=${P_KCM:-16257} P_SCH=${P_SCH:-16259} P_KWOK=${P_KWOK:-16247}
B=$H/bin R=$H/run L=127.0.0.1
mkdir -p "$B" "$H/build"
for d in cp kwok kustomize; do [ -d "$H/build/$d" ] || cp -r "$S/modules/$d" "$H/build/"; done # pinned go.mod and go.sum
say() { echo "[up] $*" >&2; }

# ---------------------------------------------------------------- build
build() (
  export GOMODCACHE=${GOMODCACHE_DIR:-$H/gomod} GOCACHE=${GOCACHE_DIR:-$H/gocache} CGO_ENABLED=0
  export GOFLAGS="-mod=readonly -p=2 -trimpath -buildvcs=false" GOWORK=off
  G="nice -n 10 go"
  wrap() ( # dir, go.mod tail on stdin, then the main packages: makes a wrapper module that only names tools
    d=$H/build/$1; shift; mkdir -p "$d"; cd "$d"
    { printf 'module local/%s\n\ngo 1.26.0\n\n' "$(basename "$d")"; cat; } > go.mod.new
    { echo '//go:build tools'; echo 'package tools'; for p; do echo "import _ \"$p\""; done; } > tools.go
    [ -s go.mod ] && [ -s go.sum ] || { mv go.mod.new go.mod; $G mod tidy 2>"$d/tidy.log" || { tail -5 "$d/tidy.log" >&2; exit 1; }; }
    rm -f go.mod.new
  )
  gb() { [ -x $B/$2 ] || { say "build $2"; (cd "$H/build/$1" && nice -n 10 go build -ldflags "$4" -o "$B/$2" "$3"); }; }
  # Building the commands as packages of a *dependency* (wrapper module) avoids both the
  # "go install refuses replace" rule and the missing staging/src in the module zip: the wrapper
  # replaces every staging module by its published v0.X.Y.
  KMOD=$(cd "$H/build" && $G mod download -json k8s.io/kubernetes@$KV | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
  { echo "require k8s.io/kubernetes $KV"; echo "require go.etcd.io/etcd/server/v3 $ETCDV"; echo 'replace ('
    sed -n 's#^\t\(k8s.io/[a-z0-9-]*\) => ./staging.*#\t\1 => \1 '$SV'#p' "$KMOD"; echo ')'; } |
    wrap cp go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubectl}
  p=k8s.io/component-base/version
  LD="-s -w -X $p.gitVersion=$KV -X $p.gitMajor=1 -X $p.gitMinor=$(echo $KV | cut -d. -f2) -X $p.gitTreeState=archive -X $p.gitCommit=none -X $p.buildDate=1970-01-01T00:00:00Z"
  gb cp etcd go.etcd.io/etcd/server/v3 "-s -w"
  for b in kube-apiserver kube-controller-manager kube-scheduler kubectl; do
    gb cp $b k8s.io/kubernetes/cmd/$b "$LD"
  done
  echo "require sigs.k8s.io/kwok $KWOKV" | wrap kwok sigs.k8s.io/kwok/cmd/kwok
  gb kwok kwok sigs.k8s.io/kwok/cmd/kwok "-s -w"
  if [ ! -s $H/build/stages.yaml ]; then # kwok 0.8 has no built-in stages: take the module's own
    D=$($G mod download -json sigs.k8s.io/kwok@$KWOKV | sed -n 's/.*"Dir": "\(.*\)",/\1/p')/kustomize/stage
    for f in node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease \
             pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete \
             volume/fast/pv-bind volume/fast/pv-delete volume/fast/pvc-provision volume/fast/pvc-delete; do
      echo ---; cat "$D/$f.yaml"; done > $H/build/stages.yaml.new
    cp "$D/volume/fast/storage-class.yaml" $H/build/storage-class.yaml; chmod u+w $H/build/storage-class.yaml
    mv $H/build/stages.yaml.new $H/build/stages.yaml
  fi
  echo "require sigs.k8s.io/kustomize/kustomize/v5 $KUSTV" | wrap kustomize sigs.k8s.io/kustomize/kustomize/v5
  gb kustomize kustomize sigs.k8s.io/kustomize/kustomize/v5 "-s -w"
)
t0=$SECONDS; build; say "binaries ready ($((SECONDS-t0)) s)"
[ "${1:-}" = build ] && exit 0

# ---------------------------------------------------------------- state, certificates, kubeconfigs
for f in "$R"/*.pid; do [ -e "$f" ] && { say "$f exists: run down.sh first"; exit 1; }; done
for p in $P_ETCD $P_PEER $P_API $P_KCM $P_SCH $P_KWOK; do
  if (exec 3<>/dev/tcp/$L/$p) 2>/dev/null; then say "port $p is taken"; exit 1; fi; done
rm -rf "$R"; mkdir -p -m 700 "$R/pki"; cd "$R/pki"
trap 'rc=$?; [ $rc = 0 ] || { say "failed; logs in $R/*.log"; bash "$S/down.sh" || true; }' EXIT
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
ca() { key $1; openssl req -x509 -new -key $1.key -subj "/CN=$1" -days 30 -out $1.crt \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature; }
crt() { # ca name subject extKeyUsage [SAN]
  key $2; openssl req -new -key $2.key -subj "$3" | openssl x509 -req -CA $1.crt -CAkey $1.key -CAcreateserial -days 30 -out $2.crt \
  -extfile <(echo "extendedKeyUsage=$4"; [ -n "${5:-}" ] && echo "subjectAltName=$5"; true) 2>/dev/null; }
ca ca; ca front-proxy-ca; key sa; openssl ec -in sa.key -pubout -out sa.pub 2>/dev/null
crt ca apiserver /CN=kube-apiserver serverAuth "IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc"
crt ca admin /O=system:masters/CN=admin clientAuth
crt ca kcm /CN=system:kube-controller-manager clientAuth
crt ca sched /CN=system:kube-scheduler clientAuth
crt ca kwok /O=system:masters/CN=kwok clientAuth
crt front-proxy-ca front-proxy /CN=front-proxy-client clientAuth
for u in admin kcm sched kwok; do
  cat > "$R/$u.kubeconfig" <<Y
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "https://$L:$P_API", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $u, user: {client-certificate-data: $(base64 -w0 $u.crt), client-key-data: $(base64 -w0 $u.key)}}]
contexts: [{name: local, context: {cluster: local, user: $u}}]
current-context: local
Y
done

# ---------------------------------------------------------------- start
start() { local n=$1; shift; setsid nice -n 5 "$@" >"$R/$n.log" 2>&1 </dev/null & echo $! > "$R/$n.pid"; }
wait_for() { local n=$1 s=$2; shift 2; for ((i=0;i<s*4;i++)); do
  kill -0 "$(cat "$R/$n.pid")" 2>/dev/null || { say "$n died:"; tail -5 "$R/$n.log" >&2; return 1; }
  "$@" >/dev/null 2>&1 && return 0; sleep .25; done; say "timeout waiting for $n"; return 1; }
k() { "$B/kubectl" --kubeconfig "$R/admin.kubeconfig" "$@"; }
t1=$SECONDS
start etcd $B/etcd --name local --data-dir "$R/etcd" --listen-client-urls http://$L:$P_ETCD --advertise-client-urls http://$L:$P_ETCD \
  --listen-peer-urls http://$L:$P_PEER --initial-advertise-peer-urls http://$L:$P_PEER --initial-cluster local=http://$L:$P_PEER \
  --unsafe-no-fsync --log-level warn
wait_for etcd 30 curl -sf http://$L:$P_ETCD/health
start apiserver $B/kube-apiserver --bind-address $L --secure-port $P_API --advertise-address $L --endpoint-reconciler-type none \
  --etcd-servers http://$L:$P_ETCD --service-cluster-ip-range 10.96.0.0/16 --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
  --allow-privileged=true --anonymous-auth=false --client-ca-file ca.crt --tls-cert-file apiserver.crt --tls-private-key-file apiserver.key \
  --service-account-key-file sa.pub --service-account-signing-key-file sa.key --service-account-issuer https://kubernetes.default.svc \
  --requestheader-client-ca-file front-proxy-ca.crt --requestheader-allowed-names front-proxy-client --requestheader-username-headers X-Remote-User \
  --requestheader-group-headers X-Remote-Group --requestheader-extra-headers-prefix X-Remote-Extra- \
  --proxy-client-cert-file front-proxy.crt --proxy-client-key-file front-proxy.key ${APISERVER_ARGS:-}
wait_for apiserver 90 k get --raw /readyz
start kcm $B/kube-controller-manager --bind-address $L --secure-port $P_KCM --kubeconfig "$R/kcm.kubeconfig" --authentication-kubeconfig "$R/kcm.kubeconfig" \
  --authorization-kubeconfig "$R/kcm.kubeconfig" --root-ca-file ca.crt --service-account-private-key-file sa.key --use-service-account-credentials \
  --allocate-node-cidrs --cluster-cidr 10.244.0.0/16 --service-cluster-ip-range 10.96.0.0/16 --leader-elect=false \
  --cluster-signing-cert-file ca.crt --cluster-signing-key-file ca.key ${KCM_ARGS:-}
start scheduler $B/kube-scheduler --bind-address $L --secure-port $P_SCH --kubeconfig "$R/sched.kubeconfig" \
  --authentication-kubeconfig "$R/sched.kubeconfig" --authorization-kubeconfig "$R/sched.kubeconfig" --leader-elect=false
start kwok $B/kwok --kubeconfig "$R/kwok.kubeconfig" -c "$H/build/stages.yaml" --manage-nodes-with-annotation-selector kwok.x-k8s.io/node=fake \
  --node-ip $L --node-port $P_KWOK --server-address $L:$P_KWOK --node-lease-duration-seconds 40
node() { # name kind zone
  local gpu="" lab="" taint=""
  if [ "$2" = gpu ]; then gpu="nvidia.com/gpu: \"$GPUS\","; lab='nvidia.com/gpu.present: "true", nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3, nvidia.com/gpu.sharing-strategy: '"$GPU_SHARING,"
    [ "$GPU_TAINT" = 1 ] && taint='{key: nvidia.com/gpu, value: present, effect: NoSchedule}'; fi
  local res="{$gpu cpu: \"64\", memory: 512Gi, ephemeral-storage: 1Ti, pods: \"110\"}"
  cat <<Y
---
apiVersion: v1
kind: Node
metadata:
  name: $1
  annotations: {kwok.x-k8s.io/node: fake}
  labels: {$lab kubernetes.io/hostname: $1, kubernetes.io/os: linux, kubernetes.io/arch: amd64, topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: zone-$3}
spec: {taints: [$taint]}
status: {allocatable: $res, capacity: $res}
Y
}
{ for ((i=0;i<GPU_NODES;i++)); do node gpu-$i gpu $((i%2)); done; for ((i=0;i<CPU_NODES;i++)); do node cpu-$i cpu $((i%2)); done; } | k apply -f - >&2
k apply -f "$H/build/storage-class.yaml" >&2
wait_for kwok 60 k wait --for=condition=Ready node --all --timeout=1s
wait_for kcm 60 k -n default get serviceaccount default
wait_for scheduler 30 k get --raw /readyz
say "control plane up in $((SECONDS-t1)) s"
trap - EXIT
echo "export KUBECONFIG=$R/admin.kubeconfig PATH=$B:\$PATH" > "$R/env"
echo "KUBECONFIG=$R/admin.kubeconfig"
