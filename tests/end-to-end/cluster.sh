# shellcheck shell=sh disable=SC2154 # `directory` is of the script that sources this file
# Chooses the Kubernetes cluster of the tests and loads images into it; `kubernetes` sources this file.
#
# Two kinds of cluster work:
#
# - One that a script brings up on this machine: the folder `HYPE_CLUSTER`, else ../shared/cluster, with the commands
#   `up` (prints `export KUBECONFIG=FILE`), `down` and `load-image NAME:TAG ARCHIVE`.
# - The current context of a kubeconfig (`KUBECONFIG`, else ~/.kube/config): kind, k3d or minikube by the context's
#   name, any other if `HYPE_LOAD_IMAGE` is a command that loads an image archive into the nodes. The archive becomes
#   its last argument. For example:
#
#       HYPE_LOAD_IMAGE="kind load image-archive --name ci" tests/end-to-end/kubernetes
#
# The tests show Pods directories of this machine, and servers on this machine's loopback. So the cluster has one
# node, and
#
# - the node sees the directory for temporary files (`TMPDIR`, else /tmp) at the same path: tests/end-to-end/kind.yaml
#   mounts it, `k3d cluster create --volume`, or `minikube start --mount-string`;
# - the node shares the loopback of the tests. If it is a container of this machine's Docker daemon, as those of kind,
#   k3d and minikube are, the tests enter its network. `HYPE_NODE` names the container where the context does not.
#
# `probe_cluster` checks both.

not_run() { printf 'kubernetes: NOT RUN: %s\n' "$*" >&2; exit 1; }

# Sets `cluster`, the folder of a cluster to bring up, or `context`, a context of the kubeconfig.
choose_cluster() {
    cluster='' context='' load='' node=''
    if [ -n "${HYPE_CLUSTER-}" ]; then
        [ -x "$HYPE_CLUSTER/up" ] || not_run "HYPE_CLUSTER is $HYPE_CLUSTER, which has no command \`up\`"
        cluster=$(cd "$HYPE_CLUSTER" && pwd)
    elif [ -z "${KUBECONFIG-}${HYPE_LOAD_IMAGE-}" ] && [ -x ../shared/cluster/up ]; then
        cluster=$(cd ../shared/cluster && pwd)
    else
        context=$(kubectl config current-context 2>/dev/null) ||
            not_run 'there is no cluster: start one (kind create cluster --config tests/end-to-end/kind.yaml), or name one by KUBECONFIG'
        choose_context
    fi
}

# Sets `load`, the command that loads images, and `node`, the container that is the node, if it is one.
choose_context() {
    case $context in
        kind-*) load="kind load image-archive --name ${context#kind-}" node=${context#kind-}-control-plane ;;
        k3d-*) load="k3d image import --cluster ${context#k3d-}" node=$context-server-0 ;;
        minikube) load='minikube image load' node=minikube ;;
    esac
    load=${HYPE_LOAD_IMAGE-$load} node=${HYPE_NODE-$node}
    [ -n "$load" ] || not_run "the context $context is not of kind, k3d or minikube: HYPE_LOAD_IMAGE names the command \
that loads an image archive into its nodes"
    if [ -n "$node" ] && ! docker inspect "$node" >/dev/null 2>&1; then
        [ -z "${HYPE_NODE-}" ] || not_run "there is no container $node, which HYPE_NODE names"
        node=
    fi
}

# Starts the calling script again in the network of the node, where 127.0.0.1 is the same for tests and Pods.
enter_node() {
    [ -n "$node" ] && [ "${HYPE_NODE_ENTERED-}" != "$node" ] || return 0
    pid=$(docker inspect --format '{{.State.Pid}}' "$node")
    export HYPE_NODE_ENTERED="$node"
    exec nsenter --target "$pid" --net "$@"
}

# Brings the cluster up, or writes the kubeconfig of its administrator to $directory/admin.
start_cluster() {
    if [ -n "$cluster" ]; then
        eval "$("$cluster/up")" || fail "the cluster does not come up; its logs are in $CLUSTER_DIR/log"
        PATH=$CLUSTER_DIR/bin:$PATH
        export HYPE_TEST_CLUSTER="$cluster"
    else
        admin_kubeconfig >"$directory/admin"
        [ -s "$directory/admin" ] || fail "the context $context cannot be read"
        chmod 600 "$directory/admin"
        export KUBECONFIG="$directory/admin"
        kubectl get nodes || fail "the API server of the context $context does not answer"
        provide_volumes
    fi
}

# Stops what `start_cluster` started. Of a cluster that was there before, removes what tests made.
stop_cluster() {
    if [ -n "$cluster" ]; then
        # A first attempt fails if a container was being mounted meanwhile.
        "$cluster/down" || "$cluster/down" || fail "the cluster in $CLUSTER_DIR could not be brought down"
    elif [ -f "$directory/admin" ]; then
        administer delete namespace closures --ignore-not-found --timeout=120s || true
        [ -z "${provisioner-}" ] || withdraw_volumes
        rmdir "$CLUSTER_DIR"
    fi
}

administer() { kubectl --kubeconfig "$directory/admin" "$@"; }

# Prints the current context with the names and the layout of the kubeconfig that ../shared/cluster writes, which the
# tests change. In a node's network, the API server is at the node's own port.
admin_kubeconfig() {
    docker/needs jq=jq
    kubectl config view --raw --minify --flatten --output json | jq --raw-output --arg node "$node" '
        def block: to_entries[] | "    \(.key): \(.value | tojson)";
        def reached: if $node == "" then . else
            sub("^https://(localhost|127\\.0\\.0\\.1|0\\.0\\.0\\.0|host\\.docker\\.internal):[0-9]+"; "https://127.0.0.1:6443")
        end;
        "apiVersion: v1", "kind: Config", "current-context: local",
        "clusters:", "- name: local", "  cluster:", (.clusters[0].cluster | .server |= reached | block),
        "users:", "- name: admin", "  user:", (.users[0].user | block),
        "contexts:", "- name: local", "  context: {cluster: local, user: admin, namespace: default}"'
}

# Packs a folder as an image and loads it: load_folder NAME:TAG FOLDER ENTRYPOINT...
load_folder() {
    image=$1 folder=$2
    shift 2
    entrypoint=$(printf ',"%s"' "$@")
    tar --sort=name --owner=0 --group=0 --numeric-owner -C "$folder" -cf "$directory/layer.tar" .
    HYPE_ENTRYPOINT="[${entrypoint#,}]" docker/pack "$directory/image.tar" "$image" "$(architecture)" "$directory/layer.tar"
    if [ -n "$cluster" ]; then
        "$cluster/load-image" "$image" "$directory/image.tar"
    else
        # shellcheck disable=SC2086 # a command and its arguments
        $load "$directory/image.tar" || fail "$load cannot load $image"
    fi
}

architecture() {
    case $(uname -m) in
        x86_64) echo amd64 ;;
        *) echo arm64 ;;
    esac
}

# Makes the storage class of the tests, unless there is one, and provides its volumes.
provide_volumes() {
    ! kubectl get storageclass local-disk >/dev/null 2>&1 || return 0
    tests/end-to-end/provision-volumes "$directory/admin" "${TMPDIR:-/tmp}" >"$directory/volumes.log" 2>&1 &
    provisioner=$!
    kubectl create -f - <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local-disk}
provisioner: hype.test/directory
reclaimPolicy: Delete
volumeBindingMode: Immediate
YAML
}

withdraw_volumes() {
    kill "$provisioner" 2>/dev/null || true
    wait "$provisioner" || true
    administer delete storageclass local-disk --ignore-not-found || true
}

# Fails unless a Pod sees the temporary files of this machine, and the server at a URL on its loopback.
probe_cluster() {
    [ -n "$context" ] || return 0
    probe=$(mktemp -d "${TMPDIR:-/tmp}/hype-probe.XXXXXX")
    chmod 755 "$probe"
    echo seen >"$probe/word"
    administer create --namespace closures -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: probe}
spec:
  restartPolicy: Never
  hostNetwork: true
  volumes: [{name: probe, hostPath: {path: $probe}}]
  containers:
  - name: probe
    image: $HYPE_TEST_COMMANDS_IMAGE
    imagePullPolicy: Never
    command: [sh, -c, 'cat /probe/word && curl --silent --max-time 10 --output /dev/null $1 && echo reached']
    volumeMounts: [{name: probe, mountPath: /probe}]
YAML
    seconds=0
    until phase=$(administer get pod probe --namespace closures --output 'jsonpath={.status.phase}') &&
        { [ "$phase" = Succeeded ] || [ "$phase" = Failed ] || [ "$seconds" -ge 120 ]; }; do
        sleep 1
        seconds=$((seconds + 1))
    done
    log=$(administer logs probe --namespace closures 2>&1 || true)
    rm -rf "$probe"
    administer delete pod probe --namespace closures --wait=false >/dev/null
    case $log in
        seen*reached) echo 'the node sees the files and the loopback of this machine' ;;
        seen*) fail "Pods do not reach $1: the node must share the loopback of the tests (HYPE_NODE names its container)" ;;
        *) fail "Pods do not see $probe of this machine: the node must mount ${TMPDIR:-/tmp} at the same path; the Pod is $phase: $log" ;;
    esac
}
