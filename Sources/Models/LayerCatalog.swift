/// All kinds of layers that a configuration can name.
package enum LayerCatalog {
    /// One line each; the order is that of the names in messages.
    package static let kinds: [any LayerKind.Type] = [
        LinearKind.self,
        Conv2dKind.self,
        MaxPool2dKind.self,
        AveragePool2dKind.self,
        GlobalAveragePoolKind.self,
        BatchNormKind.self,
        ReLUKind.self,
        TanhKind.self,
        SigmoidKind.self,
        DropoutKind.self,
        FlattenKind.self,
        ResidualKind.self,
        RowsKind.self,
        EmbeddingKind.self,
        PositionsKind.self,
        RNNKind.self,
        LSTMKind.self,
        GRUKind.self,
        LastStepKind.self,
        TransformerKind.self,
        LayerNormKind.self,
        GELUKind.self,
    ]
}
