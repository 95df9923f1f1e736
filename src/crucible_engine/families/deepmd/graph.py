"""What a frozen TensorFlow graph may hold: computation, and nothing that touches files, Python or other machines.

A graph is data, but TensorFlow runs any operation in it that it knows, and some of them write files (``WriteFile``,
``SaveV2``) or call what the process registered (``PyFunc``). A graph is run only if all of its operations are among
those listed here, which do no more than compute.
"""

from __future__ import annotations

from collections.abc import Iterable

# TensorFlow's: shapes and selections, arithmetic, functions of one number, reductions, networks, conditions.
_TENSORFLOW = """
BatchToSpaceND BroadcastArgs BroadcastGradientArgs BroadcastTo Cast Concat ConcatOffset ConcatV2 Const DepthToSpace
Diag DiagPart DynamicPartition DynamicStitch ExpandDims Fill Gather GatherNd GatherV2 Identity IdentityN
InvertPermutation LinSpace LowerBound MatrixBandPart MatrixDiag MatrixDiagPart MatrixSetDiag MirrorPad NoOp OneHot
OnesLike Pack ParallelDynamicStitch Pad PadV2 Placeholder PlaceholderWithDefault PreventGradient Range Rank Reshape
Reverse ReverseV2 ScatterNd Select SelectV2 Shape ShapeN Size Slice Snapshot SpaceToBatchND Split SplitV Squeeze
StopGradient StridedSlice StridedSliceGrad TensorScatterAdd TensorScatterUpdate Tile TopKV2 Transpose Unique Unpack
UpperBound Where ZerosLike Abs AccumulateNV2 Add AddN AddV2 Atan2 BatchMatMul BatchMatMulV2 BatchMatMulV3 Bincount
ClipByValue Cross Cumprod Cumsum Div DivNoNan Einsum FloorDiv FloorMod L2Loss MatMul Maximum Minimum Mod Mul MulNoNan
Neg Pow RealDiv Sub SquaredDifference TruncateDiv TruncateMod Xdivy Xlogy Acos Acosh Asin Asinh Atan Atanh Ceil Cos
Cosh Digamma Erf Erfc Exp Expm1 Floor Inv InvGrad IsFinite IsInf IsNan Lgamma Log Log1p Reciprocal ReciprocalGrad Rint
Round Rsqrt RsqrtGrad Sigmoid SigmoidGrad Sign Sin Sinh Sqrt SqrtGrad Square Tan Tanh TanhGrad All Any ArgMax ArgMin
Max Mean Min Prod Sum SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum UnsortedSegmentMax UnsortedSegmentMin
UnsortedSegmentProd UnsortedSegmentSum BiasAdd BiasAddGrad BiasAddV1 Elu EluGrad LeakyRelu LeakyReluGrad LogSoftmax
Relu Relu6 Relu6Grad ReluGrad Selu SeluGrad Softmax Softplus SoftplusGrad Softsign SoftsignGrad Equal Greater
GreaterEqual Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual Merge Switch
"""

# DeePMD-kit's: environments of atoms, their forces and virials, compressed networks, pair tables, activations.
_DEEPMD = """
Descrpt DescrptNorot DescrptSeA DescrptSeAEf DescrptSeAEfPara DescrptSeAEfVert DescrptSeR EwaldRecp Gelu GeluCustom
GeluGrad GeluGradCustom GeluGradGrad GeluGradGradCustom MapAparam PairTab ParallelProdForceSeA ProdEnvMatA
ProdEnvMatAMix ProdEnvMatR ProdForce ProdForceNorot ProdForceSeA ProdForceSeR ProdVirial ProdVirialNorot ProdVirialSeA
ProdVirialSeR SoftMinForce SoftMinSwitch SoftMinVirial TabulateFusion TabulateFusionGrad TabulateFusionGradGrad
TabulateFusionSeA TabulateFusionSeAGrad TabulateFusionSeAGradGrad TabulateFusionSeAtten TabulateFusionSeAttenGrad
TabulateFusionSeAttenGradGrad TabulateFusionSeR TabulateFusionSeRGrad TabulateFusionSeRGradGrad TabulateFusionSeT
TabulateFusionSeTGrad TabulateFusionSeTGradGrad UnaggregatedDy2Dx UnaggregatedDy2DxS UnaggregatedDyDx
UnaggregatedDyDxS
"""

COMPUTATION = frozenset(_TENSORFLOW.split()) | frozenset(_DEEPMD.split())
"""Names of operations that compute from their inputs, and do nothing else."""


def beyond_computation(operations: Iterable[str]) -> list[str]:
    """Return the operations that are not known to do no more than compute, sorted, each once."""
    return sorted(set(operations) - COMPUTATION)
